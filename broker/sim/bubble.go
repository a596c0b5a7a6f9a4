package sim

import (
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
)

// inBubble runs f in virtual time. A goroutine that f leaves behind for ever is a
// fault and panics here, but for those of cluster's await: hashicorp/raft leaves some
// futures without an answer when it is shut down, and nobody can end who waits for one.
func inBubble(t *testing.T, f func()) {
	t.Helper()
	bubble := ""
	defer func() {
		if v := recover(); v != nil && !onlyUnanswered(bubble) {
			panic(v)
		}
	}()
	synctest.Test(t, func(*testing.T) {
		bubble = bubbleName.FindString(stacks(false))
		f()
	})
}

// bubbleName is how a goroutine's stack says where it belongs.
var bubbleName = regexp.MustCompile(`synctest bubble \d+\]`)

func stacks(all bool) string {
	for size := 1 << 16; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, all); n < size {
			return string(buf[:n])
		}
	}
}

// onlyUnanswered: what is left of a bubble waits for answers of Raft's, and is not
// nothing.
func onlyUnanswered(bubble string) bool {
	left := 0
	for goroutine := range strings.SplitSeq(stacks(true), "\n\n") {
		head, _, _ := strings.Cut(goroutine, "\n")
		if bubble == "" || !strings.Contains(head, bubble) || strings.Contains(head, "synctest.Run") {
			continue
		}
		if left++; !strings.Contains(goroutine, "entrepot/cluster.await.func1") {
			return false
		}
	}
	return left > 0
}
