package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"

	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
	"entrepot/queue"
)

// The directory turns names into queues: it finds them, makes them when a policy
// allows it, and holds the runtime of those that links are attached to.
type directory struct {
	broker   *Broker
	policies *queue.PolicySet // has one for every name

	mu        sync.Mutex
	addresses map[string]*address
	byID      map[queueRef]*address // the same
	making    map[string][]openDone // declarations under way, and who waits
}

// queueRef is a queue among those of all shards.
type queueRef struct {
	shard uint16
	id    queue.ID
}

// openDone is told the address, with one link counted, or why there is none.
type openDone func(*address, *amqp.Error)

func newDirectory(b *Broker, policies *queue.PolicySet) *directory {
	return &directory{
		broker:    b,
		policies:  policies,
		addresses: map[string]*address{},
		byID:      map[queueRef]*address{},
		making:    map[string][]openDone{},
	}
}

// policy is what holds for a name.
func (d *directory) policy(name string) *queue.Policy { return d.policies.Match(name) }

// home is the shard where a name's queue is to be, if it is to be: the same on every
// node, so that two nodes that declare a name at a time meet there. Where a queue is
// stands with its declaration, see lookup.
func (d *directory) home(name string) *shard {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	shards := d.broker.shards()
	return shards[h.Sum32()%uint32(len(shards))]
}

// declared is a queue as its shard has it.
type declared struct {
	shard *shard
	id    queue.ID
	spec  []byte
}

// lookup finds a queue's declaration, nil if there is none: in the shard where it
// should be, else in the others.
func (d *directory) lookup(name string) (*declared, error) {
	home := d.home(name)
	found, err := home.lookup(name)
	for _, s := range d.broker.shards() {
		if found == nil && err == nil && s != home {
			found, err = s.lookup(name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("looking up queue %q: %w", name, err)
	}
	return found, nil
}

func (s *shard) lookup(name string) (*declared, error) {
	if s.repairing.Load() {
		return nil, errRepairing
	}
	id, spec, ok, err := s.journal.Lookup(name)
	if err != nil || !ok {
		return nil, err
	}
	return &declared{s, id, spec}, nil
}

// open finds the queue of a name, or makes it where the policy says "on-use".
// done is called once, from this or another goroutine.
func (d *directory) open(name string, done openDone) {
	d.mu.Lock()
	if a := d.addresses[name]; a != nil {
		a.links++
		d.mu.Unlock()
		done(a, nil)
		return
	}
	if waiting, busy := d.making[name]; busy {
		d.making[name] = append(waiting, done)
		d.mu.Unlock()
		return
	}
	a, err := d.find(name)
	if a != nil || err != nil {
		d.mu.Unlock()
		done(a, err)
		return
	}
	onUse := d.policy(name).Create == queue.CreateOnUse
	if !onUse && !d.broker.clustered() {
		d.mu.Unlock()
		done(nil, openError(name, errNoQueue))
		return
	}
	d.making[name] = []openDone{done}
	d.mu.Unlock()
	if onUse {
		d.declare(name, nil, func(q *declared, err error) { d.made(name, q, err) })
	} else {
		d.broker.goAside(func() { d.openDeclared(name) })
	}
}

// openDeclared looks for a queue that this node does not know of, and that is not made on
// use. REQUIRES: making has it.
func (d *directory) openDeclared(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), levelPatience)
	defer cancel()
	q, err := d.lookupSure(ctx, name)
	switch {
	case err == nil && q == nil:
		err = errNoQueue
	case err != nil && !errors.Is(err, errNotLevel) && !errors.Is(err, errRepairing):
		d.home(name).failed(err)
		err = errStoreFailed
	}
	d.made(name, q, err)
}

// lookupSure is lookup of what every node knows: that a queue is not known here counts
// only if the leader of its shard does not know it either.
func (d *directory) lookupSure(ctx context.Context, name string) (*declared, error) {
	q, err := d.lookup(name)
	if q != nil || err != nil || !d.broker.clustered() {
		return q, err
	}
	if err := d.home(name).level.await(ctx); err != nil {
		return nil, err
	}
	return d.lookup(name)
}

// openError is what a client is told whose link can't have its queue.
func openError(name string, err error) *amqp.Error {
	switch {
	case errors.Is(err, errNoQueue):
		return linkError(wire.CondNotFound, "there is no queue %q, and its policy makes none on use", name)
	case errors.Is(err, errNotLevel), errors.Is(err, errRepairing), errors.Is(err, errStoreFailed):
		return linkError(wire.CondInternalError, "queue %q: %v", name, err)
	}
	return linkError(wire.CondInternalError, "the queue %q could not be declared: %v", name, err)
}

var (
	// errDeleted: a queue was deleted before links could be attached to it.
	errDeleted = errors.New("it was deleted again")
	errNoQueue = errors.New("there is no such queue")
	// errStoreFailed is what clients hear of it.
	errStoreFailed = errors.New("the store failed")
)

// find makes the runtime of a queue that exists, with one link counted.
// REQUIRES: d.mu is held.
func (d *directory) find(name string) (*address, *amqp.Error) {
	q, err := d.lookup(name)
	switch {
	case errors.Is(err, errRepairing):
		return nil, openError(name, err)
	case err != nil:
		d.home(name).failed(err)
		return nil, openError(name, errStoreFailed)
	}
	if q == nil {
		return nil, nil
	}
	return d.adopt(name, q), nil
}

// adopt makes the runtime of a queue, with one link counted. REQUIRES: d.mu is held.
func (d *directory) adopt(name string, q *declared) *address {
	a := &address{name: name, id: q.id, shard: q.shard, policy: d.policy(name), links: 1}
	a.narrowBy(d.decode(name, q.spec))
	d.addresses[name], d.byID[a.ref()] = a, a
	return a
}

// declare proposes a new queue. done is called when it is a fact, or can't be. If
// another node was quicker, that one's declaration counts.
func (d *directory) declare(name string, spec []byte, done func(*declared, error)) {
	s := d.home(name)
	s.propose(
		func(b *queue.PackBuilder) { b.Declare(name, spec) },
		func(r queue.Reply, err error) {
			switch {
			case err != nil:
				done(nil, err)
			case r.Status == queue.OK && r.Queue != 0:
				done(&declared{s, r.Queue, spec}, nil)
			case r.Status == queue.OK, r.Status == queue.Exists:
				// What was declared will be read here in a moment.
				s.awaitLocal(context.Background(), func() (bool, error) {
					q, err := s.lookup(name)
					if q != nil {
						done(q, nil)
					}
					return q != nil, err
				}, func(err error) { done(nil, err) })
			default:
				done(nil, fmt.Errorf("the shard answers: %v", r.Status))
			}
		})
}

// put makes a queue with declared values, or gives an existing one new ones, and
// waits for the fact.
func (d *directory) put(ctx context.Context, name string, spec []byte) (created bool, err error) {
	for {
		d.mu.Lock()
		if waiting, busy := d.making[name]; busy { // somebody's first use: then it exists
			made := make(chan struct{})
			d.making[name] = append(waiting, func(a *address, _ *amqp.Error) {
				if a != nil {
					d.release(a)
				}
				close(made)
			})
			d.mu.Unlock()
			select {
			case <-made:
			case <-ctx.Done():
				return false, ctx.Err()
			}
			continue
		}
		q, err := d.lookup(name)
		if err == nil && q == nil {
			d.making[name] = nil
		}
		d.mu.Unlock()
		switch {
		case err != nil:
			return false, err
		case q != nil:
			return false, d.update(ctx, name, q, spec)
		}
		return d.putNew(ctx, name, spec)
	}
}

// putNew declares a queue that this node does not know of. REQUIRES: making has it.
func (d *directory) putNew(ctx context.Context, name string, spec []byte) (created bool, err error) {
	type answer struct {
		q   *declared
		err error
	}
	answered := make(chan answer, 1)
	d.declare(name, spec, func(q *declared, err error) {
		d.made(name, q, err)
		answered <- answer{q, err}
	})
	select {
	case a := <-answered:
		switch {
		case a.err != nil:
			return false, a.err
		case !bytes.Equal(a.q.spec, spec): // another node was quicker
			return false, d.update(ctx, name, a.q, spec)
		}
		return true, a.q.shard.await(ctx, func() (bool, error) { return a.q.shard.heardOf(a.q.id) })
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// update replaces the declared values of a queue, also for links that are attached.
func (d *directory) update(ctx context.Context, name string, q *declared, spec []byte) error {
	_, err := q.shard.proposeAndWait(ctx, func(b *queue.PackBuilder) { b.Update(q.id, spec) })
	if err != nil {
		return err
	}
	return q.shard.await(ctx, func() (bool, error) {
		now, err := q.shard.lookup(name)
		// Of two updates at a time, the first may never be seen here.
		return now == nil || now.id != q.id || bytes.Equal(now.spec, spec) || !bytes.Equal(now.spec, q.spec), err
	})
}

// refresh takes over what is declared now. It reads that back: of two updates at a
// time, each may be told of second.
func (d *directory) refresh(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.addresses[name]
	if a == nil {
		return
	}
	q, err := a.shard.lookup(name)
	if err != nil {
		a.shard.failed(err)
		return
	}
	if q == nil {
		return
	}
	a.narrowBy(d.decode(name, q.spec))
	a.reopen() // there may be room now
	a.shard.relay.post([]dispatchInput{{kind: inputConfigure, queue: a.id, limit: uint64(a.limits().MaxDeliveries)}})
}

// decode reads declared values.
func (d *directory) decode(name string, spec []byte) queue.Limits {
	declared, err := decodeSpec(spec)
	if err != nil {
		d.broker.log.Error("declared values can't be read and do not count", "queue", name, "error", err)
	}
	return declared
}

// made tells everybody who waited for a queue.
func (d *directory) made(name string, q *declared, err error) {
	d.mu.Lock()
	waiting := d.making[name]
	delete(d.making, name)
	var a *address
	if err == nil && q.shard.deleted(q.id) { // queueDeleted did not know of it yet
		err = errDeleted
	}
	if err == nil && len(waiting) > 0 {
		if a = d.addresses[name]; a == nil {
			a = d.adopt(name, q)
			a.links = 0
		}
		a.links += len(waiting)
	}
	d.mu.Unlock()
	var fault *amqp.Error
	if err != nil {
		fault = openError(name, err)
	}
	for _, done := range waiting {
		done(a, fault)
	}
}

// release takes one link off an address.
func (d *directory) release(a *address) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.links--; a.links > 0 {
		return
	}
	a.shard.watched.forget(a)
	if d.addresses[a.name] == a {
		d.forget(a)
	}
}

func (d *directory) forget(a *address) {
	delete(d.addresses, a.name)
	delete(d.byID, a.ref())
}

// attachedTo is the runtime of a queue, nil if no link is attached to it.
func (d *directory) attachedTo(name string) *address {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addresses[name]
}

// queueDeleted forgets the runtime of a queue that is no more.
func (d *directory) queueDeleted(q queueRef) {
	d.mu.Lock()
	gone := d.byID[q]
	if gone != nil {
		d.forget(gone)
	}
	d.mu.Unlock()
	if gone != nil {
		gone.queueDeleted()
	}
}

// recheck compares what links of this node are attached to with the shard's state,
// which may have any number of new facts.
func (d *directory) recheck(s *shard) {
	d.mu.Lock()
	var attached []*address
	for _, a := range d.addresses {
		if a.shard == s {
			attached = append(attached, a)
		}
	}
	d.mu.Unlock()
	for _, a := range attached {
		if s.deleted(a.id) {
			d.queueDeleted(a.ref())
		} else {
			d.refresh(a.name)
		}
	}
}

// queueUpdated has the runtime of a queue take over what was declared anew, by
// whichever node. That reads the store, so it is done aside.
func (d *directory) queueUpdated(q queueRef) {
	d.mu.Lock()
	a := d.byID[q]
	d.mu.Unlock()
	if a != nil {
		d.broker.goAside(func() { d.refresh(a.name) })
	}
}
