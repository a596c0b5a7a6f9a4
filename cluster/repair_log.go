package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entrepot/journal"
)

// A damaged entry of the log is fetched from another replica. A committed entry is
// the same on all of them, so anybody whose commit index covers it may give it. What
// is not known to be committed is the leader's word alone: an entry that the leader
// does not have was never committed, or it could not lead, and so was never
// acknowledged to anybody who was told; it and what stands behind it may go.

// entriesRequest asks for entries by index.
type entriesRequest struct {
	Shard   uint16   `json:"shard"`
	Indexes []uint64 `json:"indexes"`
}

// entriesReply has those that the replica vouches for.
type entriesReply struct {
	Entries []journal.Entry `json:"entries"`
	Leads   bool            `json:"leads"`
	Last    uint64          `json:"last"` // the newest entry; counts if Leads
}

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
	reply := entriesReply{Leads: leads, Last: s.LastIndex}
	for _, i := range req.Indexes {
		var e journal.Entry
		if i > s.CommitIndex && !leads || log.Get(i, &e) != nil {
			continue
		}
		reply.Entries = append(reply.Entries, e)
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

// mendEntries mends some entries: what is behind the leader's log is cut off, the
// rest replaced. It asks for the entry behind each too: if that is another than
// ours, ours was never committed and follows an entry that is not there any more.
func (n *Node) mendEntries(shard uint16, log *journal.Log, damaged []uint64) error {
	var wanted []uint64
	for _, i := range damaged {
		wanted = append(wanted, i, i+1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), settingsPatience)
	defer cancel()
	replies := gather(ctx, n.connected(), func(ctx context.Context, peer string) (entriesReply, error) {
		return ask[entriesReply](ctx, n, peer, callEntries, entriesRequest{shard, wanted})
	})
	known := map[uint64]journal.Entry{}
	last, led := uint64(0), false
	for _, r := range replies {
		if r.Leads {
			last, led = r.Last, true
		}
		for _, e := range r.Entries {
			known[e.Index] = e
		}
	}
	if !led {
		return fmt.Errorf("%w: shard %d has no leader that answers", ErrUnavailable, shard)
	}
	for _, i := range damaged {
		if err := mendOne(log, i, known, last); err != nil {
			return err
		}
	}
	return nil
}

func mendOne(log *journal.Log, i uint64, known map[uint64]journal.Entry, leaderLast uint64) error {
	if i > log.Last() {
		return nil // cut off with one before it
	}
	e, found := known[i]
	switch {
	case !found && i > leaderLast:
		return log.DeleteRange(i, log.Last())
	case !found:
		return fmt.Errorf("%w: nobody has entry %d", ErrUnavailable, i)
	}
	var ours journal.Entry
	if i < log.Last() && log.Get(i+1, &ours) == nil {
		if theirs, found := known[i+1]; !found || theirs.Term != ours.Term {
			if err := log.DeleteRange(i+1, log.Last()); err != nil {
				return err
			}
		}
	}
	return log.Replace([]journal.Entry{e})
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
