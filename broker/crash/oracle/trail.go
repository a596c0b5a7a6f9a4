package oracle

import (
	"fmt"
	"strings"
	"time"
)

// step is one thing that was done with a message or seen of it: a violation tells what
// came before it.
type step struct {
	millis   uint32 // since the oracle began
	consumer Consumer
	what     what
}

type what uint8

const (
	sent what = iota
	accepted
	refused
	delivered
	accepts // as the other outcomes, it has a consumer
	rejects
	releases
	fails
	confirmed
	detached
)

var whats = [...]string{
	sent: "sent", accepted: "accepted", refused: "refused", delivered: "delivered to", accepts: "accepted by",
	rejects: "rejected by", releases: "released by", fails: "failed at", confirmed: "confirmed", detached: "given up by",
}

// settling are the outcomes' steps.
var settling = [...]what{Accept: accepts, Reject: rejects, Release: releases, Fail: fails}

// maxTrail is how many steps of a message are kept: the first, and the newest.
const maxTrail = 16

// note REQUIRES that o.mu is held.
func (o *Oracle) note(m *message, what what, c Consumer) {
	if len(m.trail) == maxTrail {
		m.trail = append(m.trail[:1], m.trail[2:]...)
	}
	m.trail = append(m.trail, step{uint32(time.Since(o.began).Milliseconds()), c, what})
}

// trailOf tells all that is known of a message, "" if that is nothing.
func (o *Oracle) trailOf(id ID) string {
	m := o.messages[id]
	if m == nil {
		return ""
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%v:", id)
	for i, s := range m.trail {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, " %.3f s %s", float64(s.millis)/1000, whats[s.what])
		if s.consumer != 0 {
			fmt.Fprintf(&text, " consumer %d", s.consumer)
		}
	}
	return text.String()
}
