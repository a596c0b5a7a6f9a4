package cluster

import (
	"sort"
	"sync"

	"github.com/hashicorp/raft"
)

// confs remembers the last configurations that were committed, with their places in
// the log: a stream of the state at an index goes with the configuration as of then.
type confs struct {
	mu   sync.Mutex
	list []confAt // oldest first
}

type confAt struct {
	index uint64
	conf  raft.Configuration
}

// confsKept is how many are remembered: a stream's index lies a moment back, and
// members change one at a time.
const confsKept = 8

// add is told of each configuration in the order of the log.
func (c *confs) add(index uint64, conf raft.Configuration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.list); n > 0 && index <= c.list[n-1].index {
		return
	}
	c.list = append(c.list, confAt{index, conf})
	if len(c.list) > confsKept {
		c.list = c.list[1:]
	}
}

// reset begins anew, from a stream.
func (c *confs) reset(index uint64, conf raft.Configuration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list[:0], confAt{index, conf})
}

// at is the configuration as of an index.
func (c *confs) at(index uint64) (confAt, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.list) - 1; i >= 0; i-- {
		if c.list[i].index <= index {
			return c.list[i], true
		}
	}
	return confAt{}, false
}

// servers lists the members of a configuration, sorted by id.
func servers(c raft.Configuration) []Server {
	all := make([]Server, len(c.Servers))
	for i, s := range c.Servers {
		all[i] = Server{ID: string(s.ID), Voter: s.Suffrage == raft.Voter}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// voters counts the voters of a configuration.
func voters(c raft.Configuration) (n int) {
	for _, s := range c.Servers {
		if s.Suffrage == raft.Voter {
			n++
		}
	}
	return n
}
