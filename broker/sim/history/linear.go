package history

import (
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// A queue as one thing that happens at a time: messages in their order, each either
// ready or with a consumer. Porcupine looks for an order of all operations, each
// somewhere between its beginning and its end, in which every step is one that this
// queue allows. An operation whose end nobody saw may happen at any later time, or
// never.
//
//	send     the message is the last one, ready
//	take     it is there, and is held from then on; in an orderly history it is the
//	         first that is ready
//	remove   it is gone. It was there, or, unless the history is orderly, somebody
//	         else has removed it
//	give up  it is ready again, in its place
//	unseen   a link had credit when it ended: the first that was ready may have been
//	         on its way to it
//	return   and is ready again
//	empty    there was nothing for a long time: nothing is there
//
// A history is orderly if no leader could change, every delivery was accepted or
// rejected, and every answer came. Otherwise messages come back without anybody's
// having said so, or are passed by one who has just released them.
type step struct {
	kind    kind
	id      ID
	link    int // of unseen and return
	orderly bool
}

type kind uint8

const (
	stepSend kind = iota
	stepTake
	stepRemove
	stepGiveUp
	stepUnseen
	stepReturn
	stepEmpty
)

// place is a message in a queue.
type place struct {
	id ID
	// holder is 0 for nobody, a link's number for one that may not have seen it,
	// or seen.
	holder int
}

// seen is the holder of a message that came.
const seen = -1

// model is the queue.
func model() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{[]place(nil)} },
		Step: func(state, input, _ any) []any {
			var next []any
			for _, queue := range input.(step).on(state.([]place)) {
				next = append(next, queue)
			}
			return next
		},
		Equal: func(a, b any) bool { return slices.Equal(a.([]place), b.([]place)) },
	}
	return m.ToModel()
}

// states are what a queue may be after a step; none: the queue does not allow it.
type states = [][]place

// on does the step. It never changes queue.
func (s step) on(queue []place) states {
	at := slices.IndexFunc(queue, func(p place) bool { return p.id == s.id })
	switch s.kind {
	case stepSend:
		return states{append(slices.Clone(queue), place{id: s.id})}
	case stepTake:
		return s.take(queue, at)
	case stepRemove:
		switch {
		case at >= 0:
			return states{slices.Delete(slices.Clone(queue), at, at+1)}
		case s.orderly:
			return nil
		}
		return states{queue}
	case stepGiveUp:
		if at < 0 {
			return states{queue} // it was removed meanwhile
		}
		return states{with(queue, at, 0)}
	case stepUnseen:
		if first := firstReady(queue); first >= 0 {
			return states{queue, with(queue, first, s.link)}
		}
		return states{queue}
	case stepReturn:
		queue = slices.Clone(queue)
		for i := range queue {
			if queue[i].holder == s.link {
				queue[i].holder = 0
			}
		}
		return states{queue}
	default: // stepEmpty
		if len(queue) > 0 {
			return nil
		}
		return states{queue}
	}
}

func (s step) take(queue []place, at int) states {
	if at < 0 || s.orderly && firstReady(queue) != at {
		return nil
	}
	return states{with(queue, at, seen)}
}

func firstReady(queue []place) int {
	return slices.IndexFunc(queue, func(p place) bool { return p.holder == 0 })
}

func with(queue []place, at, holder int) []place {
	queue = slices.Clone(queue)
	queue[at].holder = holder
	return queue
}

// Verdict is what was found out about one queue.
type Verdict uint8

// The verdicts.
const (
	Linear    Verdict = iota // an order was found
	Illegal                  // there is none
	Undecided                // too many operations, or not found in time
)

// maxSteps is how long a history may be for an order to be looked for.
const maxSteps = 400

// Linear looks for an order of all that happened to a queue. It takes at most
// patience, in real time: it must not be called in a bubble of virtual time.
// Deliveries to browsers are not looked at, nor queues where messages expire.
func (h *History) Linear(queue string, patience time.Duration) Verdict {
	steps := h.steps(queue)
	if len(steps) > maxSteps || h.expires(queue) {
		return Undecided
	}
	switch porcupine.CheckOperationsTimeout(model(), steps, patience) {
	case porcupine.Ok:
		return Linear
	case porcupine.Illegal:
		return Illegal
	}
	return Undecided
}

// steps are the operations on a queue.
func (h *History) steps(queue string) []porcupine.Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []porcupine.Operation
	add := func(s step, from, to time.Time) {
		end := int64(math.MaxInt64)
		if !to.IsZero() {
			end = to.UnixNano()
		}
		list = append(list, porcupine.Operation{ClientId: len(list), Input: s, Call: from.UnixNano(), Return: end})
	}
	orderly := h.orderly(queue)
	for _, s := range h.sends {
		if s.Queue == queue && s.Fate != Refused {
			add(step{kind: stepSend, id: s.ID}, s.Began, s.Ended)
		}
	}
	for _, d := range h.deliveries {
		if d.Link.Queue != queue || d.Link.Browse {
			continue
		}
		add(step{kind: stepTake, id: d.ID, orderly: orderly}, d.Since, d.At)
		switch {
		case d.Outcome.removes():
			add(step{kind: stepRemove, id: d.ID, orderly: orderly}, d.Settling, d.Settled)
		case d.Outcome != Held:
			add(step{kind: stepGiveUp, id: d.ID}, d.Settling, d.Settled)
		case !d.Link.Ended.IsZero():
			add(step{kind: stepGiveUp, id: d.ID}, d.Link.Ended, time.Time{})
		}
	}
	for _, l := range h.links {
		if l.Queue != queue || l.Browse || l.Last || !orderly {
			continue // or it makes no difference
		}
		for _, since := range l.Unused {
			add(step{kind: stepUnseen, link: l.Number}, since, l.Ended)
		}
		if len(l.Unused) > 0 {
			add(step{kind: stepReturn, link: l.Number}, l.Ended, time.Time{})
		}
	}
	if !h.end.IsZero() {
		add(step{kind: stepEmpty}, h.end, h.end)
	}
	return list
}

func (h *History) expires(queue string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.sends, func(s *Send) bool { return s.Queue == queue && s.TTL > 0 })
}

// orderly: see step. REQUIRES: h.mu.
func (h *History) orderly(queue string) bool {
	if !h.disrupted.IsZero() {
		return false
	}
	return !slices.ContainsFunc(h.deliveries, func(d *Delivery) bool {
		return d.Link.Queue == queue && !d.Link.Browse && (!d.Outcome.removes() || d.Settled.IsZero())
	})
}
