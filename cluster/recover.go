package cluster

import (
	"fmt"

	"github.com/hashicorp/raft"

	"entrepot/journal"
)

// recover brings log, mark, term and FSM to where Raft can begin.
func (p *parts) recover(fsm FSM, voters []string) error {
	if err := p.snaps.settleRestore(fsm.AppliedIndex()); err != nil {
		return err
	}
	if err := p.bootstrap(fsm.AppliedIndex(), voters); err != nil {
		return err
	}
	return replay(p.logs.log, p.snaps, fsm)
}

// bootstrap makes a group of these voters if there is nothing yet, and refuses a
// directory whose parts contradict each other. k is the FSM's applied index. Without
// voters the group exists elsewhere: its leader's first entry is the beginning here,
// and until then the term alone may be known.
func (p *parts) bootstrap(k uint64, voters []string) error {
	term, err := p.stable.term()
	if err != nil {
		return err
	}
	mark, err := p.snaps.latest()
	if err != nil {
		return err
	}
	last := p.logs.log.Last()
	switch {
	case last > 0 || mark != nil:
		return p.checkTerm(term, last)
	case k > 0:
		return fmt.Errorf("cluster: the journal has applied up to entry %d, but its log is empty", k)
	case len(voters) == 0:
		return nil
	case term > 1:
		return fmt.Errorf("cluster: %s is in term %d, but the log is empty: it belongs to another journal", p.stable.path, term)
	}
	var stable raft.StableStore = p.stable
	if term == 1 {
		// Bootstrapping was cut off between its two steps, the term and the log's
		// first entry. Raft would take the term for a group that exists.
		stable = raft.NewInmemStore()
	}
	var conf raft.Configuration
	for _, id := range voters {
		conf.Servers = append(conf.Servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(id), Address: raft.ServerAddress(id)})
	}
	if err := raft.BootstrapCluster(p.conf, p.logs, stable, p.snaps, p.trans, conf); err != nil {
		return fmt.Errorf("cluster: bootstrap: %w", err)
	}
	return nil
}

// checkTerm refuses a term file that knows less than the log: it was lost or is
// another one's, and with it the votes that this node has given.
func (p *parts) checkTerm(term, last uint64) error {
	if last == 0 {
		return nil
	}
	var e raft.Log
	if err := p.logs.GetLog(last, &e); err != nil {
		return err
	}
	if e.Term > term {
		return fmt.Errorf("cluster: %s is in term %d, but the log in term %d: the file was lost or belongs to another journal",
			p.stable.path, term, e.Term)
	}
	return nil
}

// replay applies K+1 up to the snapshot mark, if there is one: Raft takes
// everything up to its snapshot for applied.
func replay(log entryLog, snaps *snapStore, fsm FSM) error {
	m, err := snaps.latest()
	if err != nil {
		return err
	}
	var mark uint64
	if m != nil {
		mark = m.Index
	}
	k := fsm.AppliedIndex()
	if end := max(mark, log.Last()); k > end {
		return fmt.Errorf("cluster: the journal has applied up to entry %d, but its log ends at %d", k, end)
	}
	if k < mark && log.First() > k+1 {
		return fmt.Errorf("cluster: the log begins at entry %d, but the journal needs it from %d on", log.First(), k+1)
	}
	for i := k + 1; i <= mark; i++ {
		var e journal.Entry
		if err := log.Get(i, &e); err != nil {
			return fmt.Errorf("cluster: read log entry %d: %w", i, err)
		}
		if raft.LogType(e.Type) == raft.LogCommand {
			if _, err := fsm.Apply(i, e.Data); err != nil {
				return fmt.Errorf("cluster: apply log entry %d: %w", i, err)
			}
		}
	}
	return nil
}
