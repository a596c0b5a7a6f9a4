package config

import (
	"fmt"
	"net"
	"regexp"
	"time"
)

// What the settings of a cluster may be.
const (
	maxPeers     = 15 // every node holds every shard, so more of them only cost
	maxShards    = 64 // 64 idle groups already cost what a small machine has
	minHeartbeat = 100 * time.Millisecond
	maxHeartbeat = time.Minute
	minLease     = 50 * time.Millisecond
)

// nodeID: a node's id is a DNS label or name too, so that it can stand in a
// certificate.
var nodeID = regexp.MustCompile(`^[a-z0-9.-]{1,63}$`)

// cluster checks the section of that name.
func (d *decoder) cluster() {
	c := &d.cfg.Cluster
	d.nodeID("cluster.node", c.Node)
	if c.Shards > maxShards {
		d.fail("cluster.shards", "%d is not between 0 and %d", c.Shards, maxShards)
	}
	between(d, "cluster.heartbeat", c.Heartbeat, minHeartbeat, maxHeartbeat)
	between(d, "cluster.election", c.Election, c.Heartbeat, maxHeartbeat)
	between(d, "cluster.lease", c.Lease, minLease, c.Heartbeat)
	d.clusterTLS()
	if !c.Clustered() {
		const alone = "means nothing without cluster.listen (--cluster-listen)"
		if c.Advertise != "" {
			d.fail("cluster.advertise", alone)
		}
		if len(c.Peers) > 0 {
			d.fail("cluster.peers", alone)
		}
		return
	}
	d.address("cluster.listen", c.Listen)
	if c.Advertise != "" {
		d.address("cluster.advertise", c.Advertise)
	}
	d.peers()
	d.reachable()
	d.secure()
}

func (d *decoder) nodeID(path, id string) {
	if !nodeID.MatchString(id) {
		d.fail(path, "%q is no id of a node: 1 to 63 of a-z, 0-9, dot and hyphen", id)
	}
}

// clusterTLS: a certificate without its authority, or the other way round, can
// only be a mistake.
func (d *decoder) clusterTLS() {
	t := d.cfg.Cluster.TLS
	for _, f := range []struct{ key, file string }{{"cert", t.Cert}, {"key", t.Key}, {"ca", t.CA}} {
		if t.Enabled() && f.file == "" {
			d.fail("cluster.tls."+f.key, "wants a file: cert, key and ca go together")
		}
	}
}

func (d *decoder) peers() {
	c := &d.cfg.Cluster
	switch {
	case len(c.Peers) == 0:
		d.fail("cluster.peers", "wants the nodes of the cluster (ID=HOST:PORT), this one among them; or, to join one, some of its nodes")
	case len(c.Peers) > maxPeers:
		d.fail("cluster.peers", "names %d nodes, at most %d", len(c.Peers), maxPeers)
	}
	ids, addresses := map[string]bool{}, map[string]bool{}
	for i, p := range c.Peers {
		path := fmt.Sprintf("cluster.peers[%d]", i)
		d.nodeID(path, p.ID)
		d.address(path, p.Address)
		if ids[p.ID] {
			d.fail(path, "the node %s stands there twice", p.ID)
		}
		if addresses[p.Address] {
			d.fail(path, "the address %s stands there twice", p.Address)
		}
		ids[p.ID], addresses[p.Address] = true, true
	}
	if c.Node == Standalone && !c.Founder() {
		d.fail("cluster.node", "wants an id that no other node of the cluster has (--node)")
	}
}

// reachable: an address that others can't connect to can't be told to them.
func (d *decoder) reachable() {
	c := &d.cfg.Cluster
	host, port, err := net.SplitHostPort(c.Advertised())
	if err != nil {
		return // said already
	}
	if ip := net.ParseIP(host); host == "" || port == "0" || ip != nil && ip.IsUnspecified() {
		d.fail("cluster.advertise", "other nodes can't connect to %s; say where they reach this one", c.Advertised())
	}
}

// secure: without TLS whoever reaches the listener is one of the nodes.
func (d *decoder) secure() {
	c := &d.cfg.Cluster
	if c.TLS.Enabled() || c.Insecure {
		return
	}
	const why = "%s is not loopback, so nodes must know each other by certificates: " +
		"set cluster.tls, or cluster.insecure: true on a network that nobody else can reach"
	if !IsLoopback(c.Listen) {
		d.fail("cluster.listen", why, c.Listen)
	}
	if c.Advertise != "" && !IsLoopback(c.Advertise) {
		d.fail("cluster.advertise", why, c.Advertise)
	}
	for i, p := range c.Peers {
		if !IsLoopback(p.Address) {
			d.fail(fmt.Sprintf("cluster.peers[%d]", i), why, p.Address)
		}
	}
}
