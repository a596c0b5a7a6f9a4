package broker

import (
	"time"

	"entrepot/queue"
)

// A reign is what a shard does while this node leads it: the dispatcher of one
// term, with the goroutines that read pages for it and look for what has expired.
// The next term begins with a dispatcher that knows nothing: what was out with
// consumers is back in its place then, because nobody remembers that it was out.
type reign struct {
	shard *shard
	term  uint64
	mail  *mailbox[dispatchInput]
	loads *mailbox[queue.Effect]
	loop  dispatchLoop

	guests guests // other nodes with consumers

	sweptTo int64 // deadlines up to here are swept. Owner: expiryLoop

	ended chan struct{}
	quiet chan struct{} // closed when the dispatch loop has ended
}

const loaders = 2 // goroutines that read pages for a dispatcher

// newReign begins to dispatch.
func newReign(s *shard, term uint64) *reign {
	r := &reign{
		shard: s, term: term,
		mail:  newMailbox[dispatchInput](),
		loads: newMailbox[queue.Effect](),
		ended: make(chan struct{}),
		quiet: make(chan struct{}),
	}
	r.loop.init(r)
	s.tasks.Go(func() {
		defer close(r.quiet)
		r.loop.run()
	})
	s.tasks.Go(r.expiryLoop)
	for range loaders {
		s.tasks.Go(r.loadLoop)
	}
	return r
}

// end stops dispatching: nothing is delivered, and no event of the shard is asked
// for, once it has returned. What a loader or a sweep has begun ends by itself.
func (r *reign) end() {
	close(r.ended)
	<-r.quiet
}

// leaseLook is how often a leader that has heard from no majority looks again.
const leaseLook = 10 * time.Millisecond

// awaitLease waits until this node may deliver: a leader that a majority has not
// answered for the lease's time does not know whether there is another one by now.
// False: the reign is over.
func (r *reign) awaitLease() bool {
	if r.shard.group.LeaseValid(time.Now()) {
		return true
	}
	since := time.Now()
	for !r.shard.group.LeaseValid(time.Now()) {
		select {
		case <-r.ended:
			return false
		case <-time.After(leaseLook):
		}
	}
	r.shard.log.Info("deliveries have waited for a majority", "term", r.term, "for", time.Since(since))
	return true
}

// nowMillis is the shard's time, which decides about deadlines.
func (r *reign) nowMillis() int64 { return r.shard.group.NowMillis() }
