package journal

import (
	"fmt"

	"entrepot/queue"
)

// Write takes the stream's next bytes. After an error only Abort may follow.
//
// Errors: *StreamError, and what the disk says: a full one ends the restore, not the
// store.
func (r *Restore) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stage != restoreWriting {
		return 0, ErrClosed
	}
	if r.err == nil {
		r.err = r.in.write(p, r)
	}
	if r.err != nil {
		return 0, r.err
	}
	return len(p), nil
}

// head takes the state row, and makes it the new generation's.
func (r *Restore) head(row stateRow) error {
	s := r.next
	if r.in.sender.sh != s.sh {
		return rowUnfit(fmt.Sprintf("the state of shard %d for shard %d", r.in.sender.sh, s.sh))
	}
	if len(row.meta) > 0 {
		if err := s.machine.LoadMeta(row.meta); err != nil {
			return rowUnfit(err.Error())
		}
	}
	r.index = row.durable
	r.in.state.generation = s.space.g
	s.log.pin(row.durable)
	return nil
}

// row puts a row into memory where it belongs there, and into the tables; what is
// left over of messages that are gone is dropped.
func (r *Restore) row(key, value []byte) error {
	if len(r.key) > 0 && r.key[0] != key[0] { // a table has rows of one kind
		if err := r.failed(r.tables.cut()); err != nil {
			return err
		}
	}
	wanted, err := r.learn(key, value)
	if err != nil {
		return err
	}
	r.key = append(r.next.space.prefix(r.key[:0], key[0]), key[spaceLen:]...)
	if !wanted {
		return nil
	}
	r.value = append(r.value[:0], value...)
	if key[0] != kindDeadline {
		seal(r.key, r.value)
	}
	return r.failed(r.tables.row(r.key, r.value))
}

// failed tells what the disk said.
func (r *Restore) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("journal: restore shard %d: %w", r.shard.sh, err)
}

// learn does for the memory of the new state what loadShard does for a row.
func (r *Restore) learn(key, value []byte) (wanted bool, err error) {
	s := r.next
	if kind := key[0]; kind != kindHead && kind != kindPage {
		if err := r.checkMachine(); err != nil {
			return false, err
		}
	}
	switch key[0] {
	case kindHead:
		err = s.machine.LoadState(queueOf(key), value[1:len(value)-crcLen])
	case kindPage:
		err = s.machine.LoadPage(queueOf(key), pageOf(key), value[1:len(value)-crcLen])
	case kindID:
		if _, ok := s.machine.Queue(queueOf(key)); !ok {
			return false, rowUnfit(describeKey(key) + ": a name without a queue")
		}
		r.names++
	case kindModified:
		s.modifiedEver = true
		return s.machine.Alive(queueOf(key), seqOf(key)), nil
	case kindDeadline:
		millis, q, seq := deadlineOf(key)
		alive := s.machine.Alive(q, seq)
		if alive && millis <= s.machine.SweptMillis() {
			s.excepted[queue.Ref{Queue: q, Seq: seq}] = struct{}{}
		}
		return alive, nil
	case kindMessage:
		return r.bodies.came(queueOf(key), seqOf(key))
	}
	if err != nil {
		return false, rowUnfit(fmt.Sprintf("%s: %v", describeKey(key), err))
	}
	return true, nil
}

// end holds the new state against itself, behind all rows.
func (r *Restore) end() error {
	if err := r.failed(r.tables.cut()); err != nil {
		return err
	}
	if err := r.checkMachine(); err != nil {
		return err
	}
	if n := r.next.machine.Totals().Queues; n != r.names {
		return rowUnfit(fmt.Sprintf("%d queues, %d names", n, r.names))
	}
	return r.bodies.end()
}

// checkMachine holds the states of all queues against their live sets, once they have
// come.
func (r *Restore) checkMachine() error {
	if r.checked {
		return nil
	}
	r.checked = true
	if err := r.next.machine.Check(); err != nil {
		return rowUnfit(err.Error())
	}
	return nil
}

// bodyCheck holds the bodies of a stream, which come in the order of keys, against
// what lives.
type bodyCheck struct {
	machine *queue.Machine
	queue   queue.ID  // whose bodies come
	next    queue.Seq // no live message before it lacks a body
}

// came takes a body; alive says whether its message lives.
func (c *bodyCheck) came(q queue.ID, seq queue.Seq) (alive bool, err error) {
	if err := c.before(q, seq); err != nil {
		return false, err
	}
	c.next = seq + 1
	return c.machine.Alive(q, seq), nil
}

// before checks that no live message before seq of q lacks a body.
func (c *bodyCheck) before(q queue.ID, seq queue.Seq) error {
	for c.queue < q {
		if c.queue >= c.machine.NextID() {
			c.queue, c.next = q, 0
			break
		}
		if err := c.missing(^queue.Seq(0)); err != nil {
			return err
		}
		c.queue, c.next = c.queue+1, 0
	}
	return c.missing(seq)
}

func (c *bodyCheck) missing(upTo queue.Seq) error {
	if at, ok := c.machine.NextAlive(c.queue, c.next); ok && at < upTo {
		return rowUnfit(fmt.Sprintf("live message #%d of q%d has no body", at, c.queue))
	}
	return nil
}

func (c *bodyCheck) end() error { return c.before(max(c.queue, c.machine.NextID()), 0) }
