package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"entrepot/journal"
)

// identity is what a data directory says about itself. It is the mark "identity"
// of shard 0, JSON, and is written, synced, before anything is done in its name:
//
//	{"v": 1, "node": "n1", "data": "4f0c...", "ballot": {...}, "vote": {...},
//	 "charter": {...}, "member": true, "removed": false, "level": 2}
//
// data is drawn when the directory is first opened. It tells a node from one of
// the same id whose disk was wiped: that one has forgotten votes that it gave and
// entries that it acknowledged, so it may not be taken for the same.
type identity struct {
	Version int    `json:"v"`
	Node    string `json:"node"`
	Data    string `json:"data"`

	// Ballot and Vote are the acceptor's part of the foundation; see formation.go.
	Ballot ballot   `json:"ballot"`
	Vote   *decree  `json:"vote,omitempty"`
	Char   *charter `json:"charter,omitempty"` // of the cluster that this node belongs to

	// Member: the cluster has recorded Data under Node, so the groups may run.
	Member bool `json:"member"`
	// Removed: the cluster said that this node is not one of its members any more.
	Removed bool `json:"removed,omitempty"`
	// Level is the newest level of records that may be in the journal.
	Level uint32 `json:"level,omitempty"`
}

// charter is what the founders of a cluster have agreed upon. It never changes.
type charter struct {
	Cluster string `json:"cluster"`
	Shards  int    `json:"shards"`
	// Voters are the members that every group begins with, sorted.
	Voters []string `json:"voters"`
	// Founders are those of Voters who agreed, and their data ids. Only they begin
	// groups by themselves; the others are recorded by the cluster first.
	Founders map[string]string `json:"founders"`
	// Addresses are where Voters were when the cluster was founded.
	Addresses map[string]string `json:"addresses"`
}

const (
	identityVersion = 1
	identityMark    = "identity"

	// standaloneNode is who made the data directories that have a log but no
	// identity: releases before there were clusters.
	standaloneNode = "standalone"
)

// idStore keeps the identity durably. REQUIRES: one caller at a time.
type idStore struct {
	marks markStore
}

// load reads the identity, nil if there is none.
func (s idStore) load() (*identity, error) {
	b, err := s.marks.Get(identityMark)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cluster: read identity: %w", err)
	}
	var id identity
	if err := json.Unmarshal(b, &id); err != nil {
		return nil, fmt.Errorf("cluster: read identity: %w", err)
	}
	if id.Version != identityVersion {
		return nil, fmt.Errorf("cluster: the identity of this data directory has version %d; this release knows %d", id.Version, identityVersion)
	}
	return &id, nil
}

func (s idStore) save(id identity) error {
	b, err := json.Marshal(id)
	if err != nil {
		return fmt.Errorf("cluster: write identity: %w", err)
	}
	if err := s.marks.Set(identityMark, b); err != nil {
		return fmt.Errorf("cluster: write identity: %w", err)
	}
	return nil
}

// open reads who the directory belongs to, or makes it this node's. used: it has a
// log, so one without an identity was made by a standalone node of an earlier
// release, and becomes a cluster of that one node.
func (s idStore) open(node string, used bool) (identity, error) {
	id, err := s.load()
	if err != nil {
		return identity{}, err
	}
	if id == nil {
		id = &identity{Version: identityVersion, Node: node, Data: randomID()}
		if used {
			id.Node = standaloneNode
			id.Char = soleCharter(*id, 1, nil)
			id.Member = true
		}
		if id.Node == node {
			if err := s.save(*id); err != nil {
				return identity{}, err
			}
		}
	}
	if id.Node != node {
		return identity{}, fmt.Errorf("%w: the data directory was made by node %q and this is node %q: start it under its own id, or give %q an empty directory",
			ErrOtherNode, id.Node, node, node)
	}
	return *id, nil
}

// soleCharter founds a cluster of one.
func soleCharter(id identity, shards int, addresses map[string]string) *charter {
	return &charter{
		Cluster: randomID(), Shards: shards, Voters: []string{id.Node},
		Founders: map[string]string{id.Node: id.Data}, Addresses: addresses,
	}
}

// founder: these data took part in the foundation.
func (c *charter) founder(node, data string) bool { return c.Founders[node] == data }

// check refuses a charter that can't be one.
func (c *charter) check() error {
	switch {
	case c == nil || c.Cluster == "" || c.Shards < 1 || c.Shards > maxShards || len(c.Voters) == 0:
		return errors.New("cluster: a charter without cluster, shards or voters")
	case !slices.IsSorted(c.Voters):
		return errors.New("cluster: a charter whose voters are not sorted")
	}
	return nil
}

// maxShards: each costs goroutines, timers and frames between the nodes; with more
// than one per node and core there is nothing to gain.
const maxShards = 256

// randomID is a name that nobody else draws: 128 bits, hexadecimal.
func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
