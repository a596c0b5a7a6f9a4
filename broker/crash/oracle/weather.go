package oracle

import (
	"slices"
	"time"
)

// A cluster's clients live on while nodes and network fail, so nobody can say of a
// moment that nothing from before it is still on its way. What the broker may do
// depends on the weather:
//
//	calm       Everything is judged as with one broker.
//	disturbed  From the moment before a fault until some time after it has been
//	           healed. A delivery that left a node before a settle of the same
//	           message was confirmed may arrive after it (a paused node, a slow
//	           link): a stale one is counted, not blamed, unless its link was
//	           attached after that confirmation. Messages may be with two
//	           consumers at a time, because a leader gives out again what it
//	           believes to be lost with a node, and in any order. A deadline is
//	           judged as if everything could be under way for long.
//
// And one doubt is never resolved: a settle that was sent to a node and not
// confirmed may be carried out at any later time, even after the message was given
// to another consumer, because nodes keep what they could not hand to a leader.
// Such a message is not missed at the end.
//
// Leaders may change in calm weather too: a busy machine misses heartbeats, and a
// cluster gives every node its share of leaderships again. What is found in calm
// weather is therefore blamed only when the weather turns, and not if the harness
// has seen a change of leaders by then (Shaken).
//
// What must hold in any weather: no accepted message is lost, none is invented, a
// count of failures does not fall. And a queue that nobody consumes in bad weather
// tells all in good: a message that was stored twice or in the wrong order there
// comes so.
type weather struct {
	cluster   bool
	disturbed bool
	longest   time.Duration // that a fault may hold up a delivery
	tentative Report        // what was found since it is calm, of the kinds that it excludes
}

// fair are what only calm weather excludes.
var fair = map[Kind]bool{Resurrected: true, Disorder: true, Shared: true, Late: true, CountFell: true}

// settleMargin is how long what is given back may take to come again although
// others were first: in calm weather, too.
const settleMargin = 2 * time.Second

// NewCluster makes an oracle for a cluster, in calm weather. longest is how long a
// fault and its healing may hold up a delivery.
func NewCluster(slack, longest time.Duration) *Oracle {
	o := New(slack)
	o.weather = weather{cluster: true, longest: longest}
	return o
}

// Disturb says that a fault is about to strike. It may be called again before Calm.
func (o *Oracle) Disturb() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.weather.disturbed {
		o.blameTentative()
		o.weather.disturbed = true
		o.life++
	}
}

// Shaken says that leaders have changed since the weather is calm: what was found
// since then may be due to that, and is counted as stale.
func (o *Oracle) Shaken() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.report.Shaken++
	for _, n := range o.weather.tentative.Counts {
		o.report.Stale += n
	}
	o.weather.tentative = Report{}
}

// blameTentative: nothing excuses what was found in this calm.
func (o *Oracle) blameTentative() {
	o.report.merge(&o.weather.tentative)
	o.weather.tentative = Report{}
}

// Calm says that all faults have been healed for so long that whatever was on its
// way has arrived, and that all nodes know of all clients that have gone.
func (o *Oracle) Calm() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.weather.disturbed {
		return
	}
	o.weather.disturbed = false
	o.life++
	o.ordered = time.Now().Add(-settleMargin)
	for _, c := range o.consumers {
		if !c.gone {
			clear(c.highest)
		}
	}
}

// mayBeStale tells whether a message that comes to a consumer although its settle
// was confirmed can have been on its way since before that.
func (o *Oracle) mayBeStale(c *consumer, m *message) bool {
	return m.settle == settleConfirmed && o.weather.disturbed && c.attached < m.confirmed
}

// failures is how many failures of a message a delivery to c must know of: in bad
// weather, those that were confirmed before the link was there.
func (o *Oracle) failures(c *consumer, m *message) uint32 {
	known := len(m.failed)
	if o.weather.disturbed {
		known, _ = slices.BinarySearch(m.failed, c.attached)
	}
	return uint32(known)
}

// delay is what may hold up a delivery now.
func (w *weather) delay() time.Duration {
	if w.disturbed {
		return w.longest
	}
	return 0
}
