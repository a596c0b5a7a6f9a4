package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The foundation is how empty nodes agree on one charter: a single-decree Paxos
// (Lamport, "Paxos Made Simple") among the peers, kept in their identities. Raft
// can't do it: before a node may vote in Raft it must be on record with its data
// id, else a wiped one could vote twice, and that record needs a cluster.
//
//	proposer                         every peer (itself included)
//	  prepare(ballot)        --->     promises to take part in no lower ballot, says
//	                         <---     what it has voted for, and its data id
//	  a majority: propose what the highest vote says, or a new charter whose
//	  founders are those who promised
//	  accept(ballot, charter) --->    votes, unless it has promised a higher ballot
//	  a majority: the charter is the cluster's
//	  chosen(charter)        --->     founders begin their groups with it
//
// So there is at most one charter however many propose, whoever is late or dies in
// between, as long as no majority of the peers is lost together with its disks.
// Whoever was not told asks the others, see Node.Form.

// ballot numbers a proposal; no two nodes use the same.
type ballot struct {
	Round uint64 `json:"round"`
	Node  string `json:"node"`
}

func (b ballot) less(o ballot) bool {
	return b.Round < o.Round || b.Round == o.Round && b.Node < o.Node
}

// decree is a vote: this charter in this ballot.
type decree struct {
	Ballot  ballot   `json:"ballot"`
	Charter *charter `json:"charter"`
}

type prepareRequest struct {
	Ballot ballot   `json:"ballot"`
	Voters []string `json:"voters"`
	Shards int      `json:"shards"`
}

type acceptRequest struct {
	decree
}

// foundationReply answers both.
type foundationReply struct {
	OK       bool     `json:"ok"`
	Node     string   `json:"node"`
	Data     string   `json:"data"`
	Promised ballot   `json:"promised"`          // the highest ballot it takes part in
	Vote     *decree  `json:"vote,omitempty"`    // its vote, if it has one
	Charter  *charter `json:"charter,omitempty"` // it knows that this was chosen
	Refusal  string   `json:"refusal,omitempty"` // why it does not take part at all
}

// prepare and accept are the acceptor. They change id; the caller saves it before
// it answers. voters and shards are what this node was configured with.
func (id *identity) prepare(req prepareRequest, voters []string, shards int) foundationReply {
	r := id.reply()
	switch {
	case id.Char != nil:
	case !slices.Contains(voters, id.Node):
	case !slices.Equal(req.Voters, voters) || req.Shards != shards:
		r.Refusal = describeMismatch(req.Ballot.Node, req.Voters, req.Shards, id.Node, voters, shards)
	case !req.Ballot.less(id.Ballot):
		id.Ballot = req.Ballot
		r.OK, r.Promised = true, req.Ballot
	}
	return r
}

func (id *identity) accept(req acceptRequest) foundationReply {
	r := id.reply()
	if id.Char == nil && !req.Ballot.less(id.Ballot) && req.Charter.check() == nil {
		id.Ballot, id.Vote = req.Ballot, &req.decree
		r.OK, r.Promised = true, req.Ballot
	}
	return r
}

func (id *identity) reply() foundationReply {
	return foundationReply{Node: id.Node, Data: id.Data, Promised: id.Ballot, Vote: id.Vote, Charter: id.Char}
}

// describeMismatch tells two operators' settings apart.
func describeMismatch(a string, aVoters []string, aShards int, b string, bVoters []string, bShards int) string {
	if !slices.Equal(aVoters, bVoters) {
		return fmt.Sprintf("%s was given the peers %s, %s was given %s", a, strings.Join(aVoters, ","), b, strings.Join(bVoters, ","))
	}
	return fmt.Sprintf("%s wants %d shards, %s wants %d", a, aShards, b, bShards)
}

// proposal of a charter: one attempt.
type founding struct {
	self   string
	voters []string // sorted
	shards int
	addrs  map[string]string
	// ask sends a request to a peer, or to this node, and gives its answer.
	prepare func(ctx context.Context, peer string, req prepareRequest) (foundationReply, error)
	accept  func(ctx context.Context, peer string, req acceptRequest) (foundationReply, error)
}

// errNotFounded: this attempt got no majority; another one may.
var errNotFounded = errors.New("cluster: no majority of the peers agreed")

// run makes one attempt in ballot b. The charter was chosen, now or by others
// before; else the error is errNotFounded, and seen is the highest ballot that
// anybody has taken part in.
func (f *founding) run(ctx context.Context, b ballot) (c *charter, seen ballot, err error) {
	seen = b
	promises := gather(ctx, f.voters, func(ctx context.Context, peer string) (foundationReply, error) {
		return f.prepare(ctx, peer, prepareRequest{Ballot: b, Voters: f.voters, Shards: f.shards})
	})
	var highest *decree
	founders := map[string]string{}
	for _, r := range promises {
		if r.Charter != nil {
			return r.Charter, seen, nil
		}
		if seen.less(r.Promised) {
			seen = r.Promised
		}
		if !r.OK {
			continue
		}
		founders[r.Node] = r.Data
		if r.Vote != nil && (highest == nil || highest.Ballot.less(r.Vote.Ballot)) {
			highest = r.Vote
		}
	}
	if len(founders) < majority(len(f.voters)) {
		return nil, seen, errNotFounded
	}
	c = f.newCharter(founders)
	if highest != nil {
		c = highest.Charter
	}
	votes := 0
	for _, r := range gather(ctx, f.voters, func(ctx context.Context, peer string) (foundationReply, error) {
		return f.accept(ctx, peer, acceptRequest{decree{Ballot: b, Charter: c}})
	}) {
		if r.Charter != nil {
			return r.Charter, seen, nil
		}
		if seen.less(r.Promised) {
			seen = r.Promised
		}
		if r.OK {
			votes++
		}
	}
	if votes < majority(len(f.voters)) {
		return nil, seen, errNotFounded
	}
	return c, seen, nil
}

func (f *founding) newCharter(founders map[string]string) *charter {
	return &charter{Cluster: randomID(), Shards: f.shards, Voters: f.voters, Founders: founders, Addresses: f.addrs}
}

func majority(n int) int { return n/2 + 1 }

// gather asks all peers at once and returns the answers of those that gave one.
func gather[T any](ctx context.Context, peers []string, ask func(context.Context, string) (T, error)) []T {
	type answer struct {
		v   T
		err error
	}
	answers := make(chan answer, len(peers))
	for _, p := range peers {
		go func() {
			v, err := ask(ctx, p)
			answers <- answer{v, err}
		}()
	}
	all := make([]T, 0, len(peers))
	for range peers {
		if a := <-answers; a.err == nil {
			all = append(all, a.v)
		}
	}
	return all
}
