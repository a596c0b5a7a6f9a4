// Package history writes down what clients of a broker did and saw, and judges it
// afterwards. It knows nothing of AMQP or of how many nodes there are: what no correct
// broker could have done is a violation, whatever faults there were.
//
// A fault leaves a client in doubt, so a send and a settle have three states: not
// begun, begun (it may have happened or not, and both are legal), and confirmed.
// The workload says that it begins before the bytes can leave, and that it has
// ended after the answer came: then a cause is always known before its effect.
package history

import (
	"fmt"
	"sync"
	"time"
)

// ID names a message. A producer is one sending link: it never comes back after its
// connection is lost, and sends N = 1, 2, 3 ... to one queue.
type ID struct {
	Producer uint32
	N        uint64
}

func (id ID) String() string { return fmt.Sprintf("%d/%d", id.Producer, id.N) }

// Fate is what became of a send.
type Fate uint8

// The fates of a send.
const (
	Unknown  Fate = iota // it may be stored, or be stored later
	Accepted             // it is stored
	Refused              // it is not, and never will be
)

// Send is one message that was sent.
type Send struct {
	ID           ID
	Queue        string
	TTL          time.Duration // 0: it never expires
	Began, Ended time.Time     // Ended is zero while the fate is unknown
	Fate         Fate
}

// Outcome is what a consumer says of a delivery.
type Outcome uint8

// The outcomes. A delivery that is held has none: it goes back when its link ends.
const (
	Held    Outcome = iota
	Accept          // gone
	Reject          // gone
	Release         // back in its place, uncounted
	Fail            // back in its place, delivery-count + 1
)

func (o Outcome) removes() bool { return o == Accept || o == Reject }

// Link is one receiving link.
type Link struct {
	Number          int
	Queue, Node     string
	Browse          bool
	Last            bool // of the final drain: the only consumer of its queue
	Attached, Ended time.Time
	Unused          []time.Time
}

// Delivery is one message that a link received.
type Delivery struct {
	Link *Link
	ID   ID
	// Since is when the consumer gave the credit that this delivery used up: the
	// broker can't have sent it earlier.
	Since, At     time.Time
	FirstAcquirer bool
	Count         uint32 // the header's delivery-count
	Outcome       Outcome
	Settling      time.Time // when the outcome was about to be sent
	Settled       time.Time // when the broker confirmed it; zero: in doubt
}

// History is what all clients did and saw. Safe for concurrent use.
type History struct {
	mu         sync.Mutex
	sends      []*Send
	byID       map[ID]*Send
	links      []*Link
	deliveries []*Delivery
	strange    []string // what could not be read
	disrupted  time.Time
	end        time.Time
}

// New is an empty history.
func New() *History { return &History{byID: map[ID]*Send{}} }

// Sending says that a message is about to be sent.
func (h *History) Sending(s Send) *Send {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sends = append(h.sends, &s)
	h.byID[s.ID] = &s
	return &s
}

// Sent says that the broker has accepted or refused it.
func (h *History) Sent(s *Send, fate Fate, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Fate, s.Ended = fate, at
}

// Attaching says that a link is about to be attached, and gives it its number.
func (h *History) Attaching(l Link) *Link {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.Number = len(h.links) + 1
	h.links = append(h.links, &l)
	return &l
}

// Ended says that a link has ended; what it held goes back. unused are the times at
// which it gave credit that no delivery that it saw has used up.
func (h *History) Ended(l *Link, at time.Time, unused []time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.Ended, l.Unused = at, unused
}

// Received says that a delivery came.
func (h *History) Received(d Delivery) *Delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deliveries = append(h.deliveries, &d)
	return &d
}

// Settling says that an outcome is about to be sent.
func (h *History) Settling(d *Delivery, out Outcome, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.Outcome, d.Settling = out, at
}

// Settled says that the broker confirmed it.
func (h *History) Settled(d *Delivery, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.Settled = at
}

// Unreadable says that a message came that nobody can have sent.
func (h *History) Unreadable(l *Link, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.strange = append(h.strange, fmt.Sprintf("%s: link %d: %s", l.Queue, l.Number, why))
}

// Disrupted says that from now on leaders may change: a message that is out with a
// consumer may then be given to another one.
func (h *History) Disrupted(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.disrupted.IsZero() {
		h.disrupted = at
	}
}

// Drained says that all queues were drained, and nothing came any more.
func (h *History) Drained(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end = at
}

// Missing is how many messages are accepted, can't have expired yet, and nobody has
// tried to remove.
func (h *History) Missing(queue string, now time.Time, clocksJump bool) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := h.taken()
	for _, s := range h.sends {
		if s.Queue == queue && mustBeThere(s, now, clocksJump) && !taken[s.ID] {
			n++
		}
	}
	return n
}

// taken are the messages that somebody has tried to remove. REQUIRES: h.mu.
func (h *History) taken() map[ID]bool {
	taken := map[ID]bool{}
	for _, d := range h.deliveries {
		if d.Outcome.removes() {
			taken[d.ID] = true
		}
	}
	return taken
}

// mustBeThere: an accepted message whose time to live, if it has one, has not passed.
func mustBeThere(s *Send, now time.Time, clocksJump bool) bool {
	if s.Fate != Accepted {
		return false
	}
	return s.TTL == 0 || !clocksJump && now.Before(s.Began.Add(s.TTL))
}

// Counts is a history in numbers.
type Counts struct {
	Sent, Accepted, Refused, InDoubt        int
	Deliveries, Again, Confirmed, FalseNews int
}

// Counts counts. FalseNews are deliveries that said first-acquirer although somebody
// had had the message before.
func (h *History) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := Counts{Sent: len(h.sends), Deliveries: len(h.deliveries)}
	for _, s := range h.sends {
		switch s.Fate {
		case Accepted:
			c.Accepted++
		case Refused:
			c.Refused++
		default:
			c.InDoubt++
		}
	}
	seen := map[ID]time.Time{}
	for _, d := range h.deliveries {
		if d.Link.Browse {
			continue
		}
		if first, again := seen[d.ID]; !again {
			seen[d.ID] = d.At
		} else {
			c.Again++
			if d.FirstAcquirer && first.Before(d.Since) {
				c.FalseNews++
			}
		}
		if !d.Settled.IsZero() {
			c.Confirmed++
		}
	}
	return c
}
