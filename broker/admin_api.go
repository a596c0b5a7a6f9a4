package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrepot/broker/admin"
	"entrepot/cluster"
	"entrepot/journal"
	"entrepot/queue"
)

var _ admin.Broker = (*Broker)(nil)

// Health implements admin.Broker.
func (b *Broker) Health() error {
	if fault := b.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}

// Ready implements admin.Broker.
func (b *Broker) Ready() error {
	switch {
	case b.Health() != nil:
		return b.Health()
	case b.stopping.Load():
		return errors.New("the broker is stopping")
	case !b.ready.Load():
		if waiting := b.waiting(); waiting != "" {
			return errors.New(waiting)
		}
		return errors.New("the broker is starting")
	}
	return b.readyShards()
}

// waiting is what this node waits for before it can be of its cluster, "" if nothing.
func (b *Broker) waiting() string {
	if b.cluster == nil {
		return ""
	}
	return b.cluster.Waiting()
}

// readyShards says what keeps this node from serving every queue.
func (b *Broker) readyShards() error {
	if !b.clustered() {
		return nil
	}
	if !b.cluster.Ready() {
		return fmt.Errorf("the cluster has not taken note of this node yet: %s", b.waiting())
	}
	for _, s := range b.shards() {
		switch {
		case s.repairing.Load():
			return fmt.Errorf("shard %d: %w", s.id, errRepairing)
		case s.adrift.shut.Load():
			return fmt.Errorf("shard %d has no leader that this node knows of", s.id)
		}
	}
	return nil
}

// formed says that there are no queues to speak of yet. Errors: admin.ErrUnavailable.
func (b *Broker) formed() error {
	running := b.shards() != nil
	for _, s := range b.shards() {
		running = running && s.running()
	}
	if !running {
		return fmt.Errorf("%w: %v", admin.ErrUnavailable, b.Ready())
	}
	return nil
}

// Queues implements admin.Broker.
func (b *Broker) Queues(_ context.Context, prefix, after string, limit int) (admin.Page, error) {
	if err := b.formed(); err != nil {
		return admin.Page{}, err
	}
	rows, err := b.list(prefix, after, limit+1)
	if err != nil {
		return admin.Page{}, err
	}
	page := admin.Page{Queues: []admin.Queue{}}
	for i := range rows {
		if i == limit {
			page.Next = rows[i-1].Name
			break
		}
		q, err := b.describe(&rows[i])
		if err != nil {
			return admin.Page{}, err
		}
		page.Queues = append(page.Queues, q)
	}
	return page, nil
}

// list gives up to limit queues of all shards in the order of their names.
func (b *Broker) list(prefix, after string, limit int) ([]found, error) {
	var all []found
	for _, s := range b.shards() {
		rows, err := s.journal.List(prefix, after, limit)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			all = append(all, found{row, s})
		}
	}
	slices.SortFunc(all, func(x, y found) int { return strings.Compare(x.Name, y.Name) })
	return all[:min(limit, len(all))], nil
}

// Queue implements admin.Broker.
func (b *Broker) Queue(ctx context.Context, name string) (admin.Queue, error) {
	q, err := b.lookup(ctx, name)
	if err != nil {
		return admin.Queue{}, err
	}
	return b.describe(q)
}

// found is a queue's row and where it is.
type found struct {
	journal.Declared
	shard *shard
}

// lookup finds a queue's row. Errors: admin.ErrNotFound, admin.ErrUnavailable.
func (b *Broker) lookup(ctx context.Context, name string) (*found, error) {
	if err := b.formed(); err != nil {
		return nil, err
	}
	q, err := b.directory.lookupSure(ctx, name)
	if errors.Is(err, errRepairing) || errors.Is(err, errNotLevel) {
		return nil, fmt.Errorf("%w: %v", admin.ErrUnavailable, err)
	}
	if err != nil {
		return nil, err
	}
	if q != nil {
		if state, exists := q.shard.journal.Queue(q.id); exists {
			return &found{journal.Declared{Queue: q.id, Name: name, Spec: q.spec, State: state}, q.shard}, nil
		}
	}
	return nil, fmt.Errorf("%w: there is no queue %q", admin.ErrNotFound, name)
}

// describe shows a queue.
func (b *Broker) describe(row *found) (admin.Queue, error) {
	policy := b.directory.policy(row.Name)
	declared, err := decodeSpec(row.Spec)
	if err != nil {
		return admin.Queue{}, fmt.Errorf("queue %q: declared values: %w", row.Name, err)
	}
	q := admin.Queue{
		Name:      row.Name,
		Shard:     row.shard.id,
		Messages:  row.State.Count,
		Bytes:     row.State.Bytes,
		Policy:    policy.Pattern.String(),
		Declared:  admin.DeclarationOf(declared),
		Effective: admin.DeclarationOf(policy.Limits.Narrow(declared)),
	}
	if a := b.directory.attachedTo(row.Name); a != nil {
		q.Producers = uint64(a.producerCount())
		q.Consumers = uint64(a.consumers.Load())
		q.Unsettled = uint64(max(0, a.unsettled.Load()))
	}
	return q, nil
}

// Declare implements admin.Broker.
func (b *Broker) Declare(ctx context.Context, name string, d admin.Declaration) (admin.Queue, bool, error) {
	if err := queue.ValidateName(name); err != nil {
		return admin.Queue{}, false, fmt.Errorf("%w: %v", admin.ErrInvalid, err)
	}
	policy := b.directory.policy(name)
	if policy.Create == queue.CreateNever {
		return admin.Queue{}, false, fmt.Errorf("%w: the policy %q makes no queues", admin.ErrForbidden, policy.Pattern)
	}
	limits := d.Limits()
	if err := policy.Limits.CheckNarrow(limits); err != nil {
		return admin.Queue{}, false, fmt.Errorf("%w: %v", admin.ErrInvalid, err)
	}
	if err := b.formed(); err != nil {
		return admin.Queue{}, false, err
	}
	created, err := b.directory.put(ctx, name, encodeSpec(d))
	if err != nil {
		return admin.Queue{}, false, err
	}
	q, err := b.Queue(ctx, name)
	return q, created, err
}

// Delete implements admin.Broker.
func (b *Broker) Delete(ctx context.Context, name string) (uint64, error) {
	q, err := b.lookup(ctx, name)
	if err != nil {
		return 0, err
	}
	removed, err := b.remove(ctx, q, (*queue.PackBuilder).Delete)
	if err != nil {
		return 0, err
	}
	return removed, q.shard.await(ctx, func() (bool, error) {
		_, exists := q.shard.journal.Queue(q.Queue)
		return !exists, nil // there may be another one of the name by now
	})
}

// Purge implements admin.Broker.
func (b *Broker) Purge(ctx context.Context, name string) (uint64, error) {
	q, err := b.lookup(ctx, name)
	if err != nil {
		return 0, err
	}
	return b.remove(ctx, q, (*queue.PackBuilder).Purge)
}

// remove proposes a record that empties a queue, and waits for the fact.
func (b *Broker) remove(ctx context.Context, q *found, record func(*queue.PackBuilder, queue.ID)) (uint64, error) {
	reply, err := q.shard.proposeAndWait(ctx, func(p *queue.PackBuilder) { record(p, q.Queue) })
	switch {
	case err != nil:
		return 0, err
	case reply.Status != queue.OK:
		return 0, fmt.Errorf("%w: there is no queue %q", admin.ErrNotFound, q.Name)
	}
	return reply.Removed, nil
}

// proposeAndWait puts a record into the log and waits until it is applied.
func (s *shard) proposeAndWait(ctx context.Context, fill func(*queue.PackBuilder)) (queue.Reply, error) {
	type answer struct {
		reply queue.Reply
		err   error
	}
	answered := make(chan answer, 1)
	s.propose(fill, func(r queue.Reply, err error) { answered <- answer{r, err} })
	select {
	case a := <-answered:
		if errors.Is(a.err, cluster.ErrStopped) {
			a.err = fmt.Errorf("%w: %v", admin.ErrUnavailable, a.err)
		}
		return a.reply, a.err
	case <-ctx.Done():
		return queue.Reply{}, ctx.Err()
	}
}

// A queue's specification as it is stored: the declaration in JSON, {} if nothing
// was declared. Unknown keys are those of a later version and are refused.
func encodeSpec(d admin.Declaration) []byte {
	spec, err := json.Marshal(d)
	if err != nil {
		panic("broker: a declaration can't be encoded: " + err.Error())
	}
	return spec
}

func decodeSpec(spec []byte) (queue.Limits, error) {
	d, err := admin.ParseDeclaration(spec)
	return d.Limits(), err
}

// sumShards adds up a figure of every shard.
func (b *Broker) sumShards(of func(*journal.Shard) uint64) (sum uint64) {
	for _, s := range b.shards() {
		sum += of(s.journal)
	}
	return sum
}

// Metrics implements admin.Broker.
func (b *Broker) Metrics() admin.Metrics {
	m := &b.metrics
	t := b.totals()
	store := b.store.Metrics()
	shown := admin.Metrics{
		Received:  m.received.Load(),
		Accepted:  m.accepted.Load(),
		Refused:   m.refusedBy.read(),
		Delivered: m.delivered.Load(),
		Settled: map[string]uint64{
			"accepted": m.outcomes[queue.Accepted].Load(),
			"released": m.outcomes[queue.Released].Load(),
			"modified": m.outcomes[queue.Modified].Load(),
			"rejected": m.outcomes[queue.RejectedKind].Load(),
		},
		Expired: t.Removed[queue.Expired],
		Dropped: map[string]uint64{
			"rejected": t.Removed[queue.Rejected],
			"purged":   t.Removed[queue.Purged],
			"deleted":  t.Removed[queue.Deleted],
		},
		Queues:            t.Queues,
		Messages:          t.Count,
		Bytes:             t.Bytes,
		WindowBytes:       b.sumShards(func(j *journal.Shard) uint64 { return uint64(j.WindowBytes()) }),
		Connections:       uint64(m.connections.Load()),
		ConnectionsOpened: m.opened.Load(),
		ConnectionsFailed: m.failedBy.read(),
		LinksFailed:       m.faultedBy.read(),
		LoginsRefused:     b.users.Refused(),
		Sessions:          uint64(max(0, m.sessions.Load())),
		LinksIn:           uint64(max(0, m.linksIn.Load())),
		LinksOut:          uint64(max(0, m.linksOut.Load())),
		BytesRead:         m.bytesRead.Load(),
		BytesWritten:      m.bytesWritten.Load(),
		DiskFreeBytes:     b.node.diskFree.Load(),
		DiskLow:           b.node.disk.shut.Load(),
		StoreBytes:        store.DiskBytes,
		StoreWritten:      store.WALBytes + store.FlushedBytes + store.IngestedBytes + store.CompactedBytes,
		StoreStalls:       m.stalls.Load(),
		OldestAgeSeconds:  b.oldestAge.read(time.Now()),
		LogAppliedIndex:   b.sumShards((*journal.Shard).AppliedIndex),
		LogDurableIndex:   b.sumShards((*journal.Shard).DurableIndex),
		AcceptLatency:     m.acceptLatency,
		FsyncLatency:      m.fsyncLatency,
		PackBytes:         m.packBytes,
		PackRecords:       m.packRecords,
		PerQueue:          b.queueMetrics(),
	}
	if b.clustered() {
		for _, s := range b.shards() {
			if !s.running() {
				continue
			}
			shown.Shards = append(shown.Shards, shardMetrics(s.id, s.group.Stats(), s.relay.linksAway(), s.commitLatency))
		}
		shown.Peers = peerMetrics(b.mesh().Peers())
	}
	return shown
}
