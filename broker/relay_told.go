package broker

import (
	"cmp"
	"slices"

	"entrepot/queue"
)

// What this node's clients have settled is told to the dispatcher at another node, and
// may be lost with it. So it is remembered until this node's own replica has it as a fact;
// when the dispatcher changes, what is left is made one without it. To do that twice
// changes nothing.

// toldOutcome is a message that a client has settled.
type toldOutcome struct {
	queue  queue.ID
	seq    queue.Seq
	reason queue.Reason
}

// told are the outcomes of a relay's consumers that may not be facts yet.
type told struct {
	list  []toldOutcome
	sweep int // at how many it is looked which ones are facts
}

const (
	toldSweep = 256
	// toldMost bounds what is remembered while a replica lags: beyond it the oldest are
	// forgotten, and may be delivered again if the dispatcher is lost.
	toldMost = 64 << 10
)

// note remembers an outcome if it ends a message.
func (t *told) note(s *shard, in *dispatchInput) {
	if in.kind != inputOutcome && in.kind != inputLate {
		return
	}
	reason, settles := reasonOf(in.outcome.Kind)
	if !settles {
		return
	}
	t.list = append(t.list, toldOutcome{in.queue, in.seq, reason})
	if len(t.list) < max(t.sweep, toldSweep) {
		return
	}
	t.forgetFacts(s)
	if n := len(t.list); n > toldMost/2 {
		t.list = slices.Delete(t.list, 0, n-toldMost/2)
	}
	t.sweep = 2 * len(t.list)
}

func (t *told) forgetFacts(s *shard) {
	t.list = slices.DeleteFunc(t.list, func(o toldOutcome) bool { return s.journal.Removed(o.queue, o.seq) })
}

// take gives what is to be told otherwise, and forgets it.
func (t *told) take(s *shard) []toldOutcome {
	t.forgetFacts(s)
	list := t.list
	*t = told{}
	return list
}

// removeTold makes facts of outcomes without a dispatcher.
func (s *shard) removeTold(list []toldOutcome) {
	slices.SortFunc(list, func(a, b toldOutcome) int {
		return cmp.Or(cmp.Compare(a.queue, b.queue), cmp.Compare(a.reason, b.reason), cmp.Compare(a.seq, b.seq))
	})
	for len(list) > 0 {
		first := list[0]
		runs, n := runsOf(list)
		// If this node ends before it is a fact, the message comes again.
		s.removeLate(first.queue, first.reason, runs, func(error) {})
		list = list[n:]
	}
}

// runsOf makes one record's runs of the first n of a sorted list, those that are of one
// queue and go for one reason.
func runsOf(list []toldOutcome) (runs []queue.Run, n int) {
	for ; n < len(list) && list[n].queue == list[0].queue && list[n].reason == list[0].reason; n++ {
		seq, last := list[n].seq, len(runs)-1
		switch {
		case last >= 0 && runs[last].Contains(seq): // told twice
		case last >= 0 && runs[last].End() == seq:
			runs[last].Count++
		case len(runs) == maxRuns:
			return runs, n
		default:
			runs = append(runs, queue.Run{First: seq, Count: 1})
		}
	}
	return runs, n
}
