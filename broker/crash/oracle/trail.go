package oracle

import (
	"fmt"
	"strings"
	"time"
)

// step is one thing that was done with a message or seen of it: a violation tells what
// came before it.
type step struct {
	at       time.Duration // since the oracle began
	what     string        // a constant
	consumer Consumer      // 0: none
}

// note REQUIRES that o.mu is held.
func (o *Oracle) note(m *message, what string, c Consumer) {
	m.trail = append(m.trail, step{time.Since(o.began), what, c})
}

// trailOf tells all that is known of a message, "" if that is nothing.
func (o *Oracle) trailOf(id ID) string {
	m := o.messages[id]
	if m == nil {
		return ""
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%v:", id)
	for _, s := range m.trail {
		fmt.Fprintf(&text, " %.3f s %s", s.at.Seconds(), s.what)
		if s.consumer != 0 {
			fmt.Fprintf(&text, " consumer %d", s.consumer)
		}
	}
	return text.String()
}
