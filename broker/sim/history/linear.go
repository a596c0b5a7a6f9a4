package history

import (
	"fmt"
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
//	empty    there was nothing for a long time: nothing is there
//
// A history is orderly if no leader could change, every delivery was accepted or
// rejected, and every answer came. Otherwise messages come back without anybody's
// having said so, or are passed by one who has just released them.
type step struct {
	kind    kind
	id      ID
	orderly bool
}

type kind uint8

const (
	stepSend kind = iota
	stepTake
	stepRemove
	stepGiveUp
	stepEmpty
)

func (s step) String() string {
	return [...]string{"send ", "take ", "remove ", "give up ", "empty "}[s.kind] + s.id.String()
}

// place is a message in a queue.
type place struct {
	id   ID
	held bool
}

// model is the queue.
func model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return []place(nil) },
		Step: func(state, input, _ any) (bool, any) {
			queue, s := state.([]place), input.(step)
			return s.on(queue)
		},
		Equal: func(a, b any) bool { return slices.Equal(a.([]place), b.([]place)) },
		DescribeOperation: func(input, _ any) string {
			return fmt.Sprint(input)
		},
	}
}

// on does the step, if the queue allows it. It never changes queue.
func (s step) on(queue []place) (bool, []place) {
	at := slices.IndexFunc(queue, func(p place) bool { return p.id == s.id })
	switch s.kind {
	case stepSend:
		return at < 0, append(slices.Clone(queue), place{id: s.id})
	case stepEmpty:
		return len(queue) == 0, queue
	case stepTake:
		if at < 0 {
			return false, nil
		}
		first := slices.IndexFunc(queue, func(p place) bool { return !p.held })
		if s.orderly && first != at {
			return false, nil
		}
		return true, with(queue, at, true)
	case stepRemove:
		if at < 0 {
			return !s.orderly, queue
		}
		return true, slices.Delete(slices.Clone(queue), at, at+1)
	default:
		if at < 0 {
			return true, queue // it was removed meanwhile
		}
		return true, with(queue, at, false)
	}
}

func with(queue []place, at int, held bool) []place {
	queue = slices.Clone(queue)
	queue[at].held = held
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
