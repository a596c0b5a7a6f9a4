package broker

import (
	"context"
	"fmt"
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
	byID      map[queue.ID]*address // the same
	making    map[string][]openDone // declarations under way, and who waits
}

// openDone is told the address, with one link counted, or why there is none.
type openDone func(*address, *amqp.Error)

func newDirectory(b *Broker, policies *queue.PolicySet) *directory {
	return &directory{
		broker:    b,
		policies:  policies,
		addresses: map[string]*address{},
		byID:      map[queue.ID]*address{},
		making:    map[string][]openDone{},
	}
}

// policy is what holds for a name.
func (d *directory) policy(name string) *queue.Policy { return d.policies.Match(name) }

// shardOf is where a name's queue is, or is to be. One shard serves all in a
// standalone node; with more, the place of a queue is stored with its declaration.
func (d *directory) shardOf(string) *shard { return d.broker.shard }

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
	if d.policy(name).Create != queue.CreateOnUse {
		d.mu.Unlock()
		done(nil, linkError(wire.CondNotFound, "there is no queue %q, and its policy makes none on use", name))
		return
	}
	d.making[name] = []openDone{done}
	d.mu.Unlock()
	d.declare(name, nil, func(_ bool, err error) { d.made(name, err) })
}

// find makes the runtime of a queue that exists, with one link counted.
// REQUIRES: d.mu is held.
func (d *directory) find(name string) (*address, *amqp.Error) {
	s := d.shardOf(name)
	id, spec, ok, err := s.journal.Lookup(name)
	if err != nil {
		d.broker.fatal(fmt.Errorf("looking up queue %q: %w", name, err))
		return nil, linkError(wire.CondInternalError, "the store failed")
	}
	if !ok {
		return nil, nil
	}
	a := &address{name: name, id: id, shard: s, policy: d.policy(name), links: 1}
	a.narrowBy(d.decode(name, spec))
	d.addresses[name], d.byID[id] = a, a
	return a, nil
}

// declare proposes a new queue. done is called when it is a fact, or can't be;
// created is false if another node was faster: then spec does not count.
func (d *directory) declare(name string, spec []byte, done func(created bool, err error)) {
	s := d.shardOf(name)
	s.propose(
		func(b *queue.PackBuilder) { b.Declare(name, spec) },
		func(r queue.Reply, err error) {
			if err == nil && r.Status != queue.OK && r.Status != queue.Exists {
				err = fmt.Errorf("the shard answers: %v", r.Status)
			}
			done(err == nil && r.Status == queue.OK, err)
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
		id, _, exists, err := d.shardOf(name).journal.Lookup(name)
		if err == nil && !exists {
			d.making[name] = nil
		}
		d.mu.Unlock()
		switch {
		case err != nil:
			return false, err
		case exists:
			return false, d.update(ctx, name, id, spec)
		}
		type answer struct {
			created bool
			err     error
		}
		answered := make(chan answer, 1)
		d.declare(name, spec, func(created bool, err error) {
			d.made(name, err)
			answered <- answer{created, err}
		})
		select {
		case a := <-answered:
			if a.created || a.err != nil {
				return a.created, a.err
			}
			// It exists: the next turn gives it the new values.
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// update replaces the declared values of a queue, also for links that are attached.
func (d *directory) update(ctx context.Context, name string, id queue.ID, spec []byte) error {
	_, err := d.shardOf(name).proposeAndWait(ctx, func(b *queue.PackBuilder) { b.Update(id, spec) })
	if err != nil {
		return err
	}
	d.refresh(name)
	return nil
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
	_, spec, ok, err := a.shard.journal.Lookup(name)
	if err != nil {
		d.broker.fatal(fmt.Errorf("looking up queue %q: %w", name, err))
		return
	}
	if !ok {
		return
	}
	a.narrowBy(d.decode(name, spec))
	a.reopen() // there may be room now
	a.shard.mail.post(dispatchInput{kind: inputConfigure, queue: a.id, limit: uint64(a.limits().MaxDeliveries)})
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
func (d *directory) made(name string, err error) {
	d.mu.Lock()
	waiting := d.making[name]
	delete(d.making, name)
	d.mu.Unlock()
	if err != nil {
		fault := linkError(wire.CondInternalError, "the queue %q could not be declared: %v", name, err)
		for _, done := range waiting {
			done(nil, fault)
		}
		return
	}
	for _, done := range waiting {
		d.open(name, done)
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
	delete(d.byID, a.id)
}

// attachedTo is the runtime of a queue, nil if no link is attached to it.
func (d *directory) attachedTo(name string) *address {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addresses[name]
}

// queueDeleted forgets the runtime of a queue that is no more.
func (d *directory) queueDeleted(id queue.ID) {
	d.mu.Lock()
	gone := d.byID[id]
	if gone != nil {
		d.forget(gone)
	}
	d.mu.Unlock()
	if gone != nil {
		gone.queueDeleted()
	}
}
