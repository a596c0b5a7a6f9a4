package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"entrepot/journal"
)

// A damaged entry of the log is fetched from another replica. A committed entry is
// the same on all of them, so anybody whose commit index covers it may give it. What
// is not known to be committed is the leader's word alone: an entry that the leader
// does not have was never committed, or it could not lead, and so was never
// acknowledged to anybody who was told; it and what stands behind it may go.

// entriesRequest asks for entries by index, and for the terms of those behind them.
type entriesRequest struct {
	Shard   uint16   `json:"shard"`
	Indexes []uint64 `json:"indexes"`
}

// entriesReply has what the replica vouches for: of Entries as many as fit into
// entriesBytes.
type entriesReply struct {
	Entries []journal.Entry   `json:"entries"`
	Terms   map[uint64]uint64 `json:"terms"` // by index, of Indexes and those behind them
	Leads   bool              `json:"leads"`
	Last    uint64            `json:"last"` // the newest entry; counts if Leads
}

const entriesBytes = 1 << 20

func (n *Node) handleEntries(ctx context.Context, _ string, req entriesRequest) (entriesReply, error) {
	r := n.replica(req.Shard)
	if r == nil {
		return entriesReply{}, ErrStopped
	}
	leads := r.group.Leader() && r.group.barrier(ctx) == nil
	log, err := n.cfg.Store.Log(req.Shard)
	if err != nil {
		return entriesReply{}, err
	}
	s := r.group.Stats()
	reply := entriesReply{Terms: map[uint64]uint64{}, Leads: leads, Last: s.LastIndex}
	get := func(index uint64, e *journal.Entry) bool {
		return (index <= s.CommitIndex || leads) && log.Get(index, e) == nil
	}
	size := 0
	for _, i := range req.Indexes {
		var e, next journal.Entry
		if get(i+1, &next) {
			reply.Terms[i+1] = next.Term
		}
		if !get(i, &e) {
			continue
		}
		reply.Terms[i] = e.Term
		if size < entriesBytes {
			reply.Entries = append(reply.Entries, e)
			size += len(e.Data)
		}
	}
	return reply, nil
}

// logPatience is how long a node that starts looks for somebody who has the entries
// that it can't read.
const logPatience = 60 * time.Second

// maxDamaged bounds how many entries are mended at a time.
const maxDamaged = 64

// startMended starts a group, and mends its log first if it can't be read.
func (n *Node) startMended(cfg Config) (*Group, error) {
	deadline := time.Now().Add(logPatience)
	for {
		g, err := Start(cfg)
		var damage *journal.CorruptionError
		if err == nil || !errors.As(err, &damage) || damage.LogIndex == 0 || n.hub == nil {
			return g, err
		}
		n.log.Error("the log is damaged; the entries are fetched from other replicas", "shard", cfg.Shard, "error", err)
		for {
			mendErr := n.mendLog(cfg.Shard)
			if mendErr == nil {
				break
			}
			n.noteFact(fmt.Sprintf("the log of shard %d is not mended yet", cfg.Shard), mendErr.Error())
			if time.Now().After(deadline) || n.pause(context.Background(), repairEvery) != nil {
				return nil, errors.Join(err, mendErr)
			}
		}
	}
}

// mendLog replaces all damaged entries. REQUIRES: the group does not run.
func (n *Node) mendLog(shard uint16) error {
	log, err := n.cfg.Store.Log(shard)
	if err != nil {
		return err
	}
	for {
		damaged := damagedEntries(log)
		if len(damaged) == 0 {
			return nil
		}
		if err := n.mendEntries(shard, log, damaged); err != nil {
			return err
		}
	}
}

func damagedEntries(log *journal.Log) (indexes []uint64) {
	for i := log.First(); i > 0 && i <= log.Last() && len(indexes) < maxDamaged; i++ {
		var e journal.Entry
		var damage *journal.CorruptionError
		if errors.As(log.Get(i, &e), &damage) {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// mendEntries mends some entries, as many as it gets. The error says that it got none.
func (n *Node) mendEntries(shard uint16, log *journal.Log, damaged []uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), settingsPatience)
	defer cancel()
	known := testimony{entries: map[uint64]journal.Entry{}, terms: map[uint64]uint64{}}
	for _, r := range gather(ctx, n.connected(), func(ctx context.Context, peer string) (entriesReply, error) {
		return ask[entriesReply](ctx, n, peer, callEntries, entriesRequest{shard, damaged})
	}) {
		if r.Leads {
			known.led, known.last = true, r.Last
		}
		for _, e := range r.Entries {
			known.entries[e.Index] = e
		}
		maps.Copy(known.terms, r.Terms)
	}
	if !known.led {
		return fmt.Errorf("%w: shard %d has no leader that answers", ErrUnavailable, shard)
	}
	mended := 0
	for _, i := range damaged {
		done, err := known.mend(log, i)
		if err != nil {
			return err
		}
		if done {
			mended++
		}
	}
	if mended == 0 {
		return fmt.Errorf("%w: nobody has entry %d of shard %d", ErrUnavailable, damaged[0], shard)
	}
	return nil
}

// testimony is what other replicas say about a log. What it says of an index is true
// of the leader's log.
type testimony struct {
	entries map[uint64]journal.Entry
	terms   map[uint64]uint64
	led     bool
	last    uint64 // the leader's newest entry
}

// lacks: the leader has no entry at index, or one of another term.
func (k *testimony) lacks(index, term uint64) (lacks, known bool) {
	t, found := k.terms[index]
	return !found || t != term, found || index > k.last
}

// mend replaces the entry at i, or cuts the log off where the leader's ends. If the
// entry behind it is another than the leader's, that one was never committed, and
// follows an entry that is not there any more: it is cut off too. done is false if
// not enough is known.
func (k *testimony) mend(log *journal.Log, i uint64) (done bool, err error) {
	if i > log.Last() {
		return true, nil // cut off with one before it
	}
	if i > k.last {
		return true, log.DeleteRange(i, log.Last())
	}
	e, found := k.entries[i]
	if !found {
		return false, nil
	}
	var ours journal.Entry
	if i < log.Last() && log.Get(i+1, &ours) == nil {
		lacks, known := k.lacks(i+1, ours.Term)
		if !known {
			return false, nil
		}
		if lacks {
			if err := log.DeleteRange(i+1, log.Last()); err != nil {
				return false, err
			}
		}
	}
	return true, log.Replace([]journal.Entry{e})
}

// mendEntry replaces one entry while the group runs, if it is committed: then it is
// the same everywhere. Any other is mended when the group starts again.
func (n *Node) mendEntry(r *replica, index uint64) {
	if index > r.group.Stats().CommitIndex {
		return
	}
	log, err := n.cfg.Store.Log(r.shard)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), settingsPatience)
	defer cancel()
	for _, reply := range gather(ctx, n.connected(), func(ctx context.Context, peer string) (entriesReply, error) {
		return ask[entriesReply](ctx, n, peer, callEntries, entriesRequest{r.shard, []uint64{index}})
	}) {
		if len(reply.Entries) == 1 && log.Replace(reply.Entries) == nil {
			n.log.Info("a damaged log entry was replaced", "shard", r.shard, "index", index)
			return
		}
	}
	n.log.Error("a damaged log entry was not replaced: no other replica has it", "shard", r.shard, "index", index)
}
