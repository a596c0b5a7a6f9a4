package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"entrepot/broker/brokerproc"
)

// namespaces is a network of the kernel's: every node has a network namespace of
// its own, with one cable to a bridge, where the clients are too.
//
//	namespace of n1            this one                 namespace of n2
//	eth0 10.231.B.2 ---- veth --+-- bridge --+-- veth ---- eth0 10.231.B.3
//	                               10.231.B.1
//
// What is cut has a blackhole route: the sender's kernel drops the packets, answers
// to the other direction's included, and sends again what is not answered.
type namespaces struct {
	bridge string
	block  int // B above
	hosts  map[string]int
	cuts   []direction
	slowed map[string]bool
	netem  bool // whether this kernel can delay
}

// Ports of every node: its address is its own.
const (
	clusterPort = "5680"
	amqpPort    = "5672"
	httpPort    = "8161"
)

func newNamespaces() (*namespaces, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("network namespaces: only root may make them")
	}
	n := &namespaces{block: os.Getpid() % 250, hosts: map[string]int{}, slowed: map[string]bool{}}
	n.bridge = fmt.Sprintf("chaos%d", n.block)
	return n, errors.Join(
		ip("link", "add", n.bridge, "type", "bridge"),
		ip("addr", "add", n.host(1)+"/24", "dev", n.bridge),
		ip("link", "set", n.bridge, "up"),
	)
}

// host is the address of a number in the network.
func (n *namespaces) host(number int) string { return fmt.Sprintf("10.231.%d.%d", n.block, number) }

// space is the namespace of a node, and cable this end of its cable.
func (n *namespaces) space(node string) string { return n.bridge + "-" + node }
func (n *namespaces) cable(node string) string { return fmt.Sprintf("c%d-%s", n.block, node) }

func (n *namespaces) place(m *brokerproc.Member) error {
	number := len(n.hosts) + 2
	n.hosts[m.ID] = number
	space, host := n.space(m.ID), n.host(number)
	for _, command := range [][]string{
		{"netns", "add", space},
		{"link", "add", n.cable(m.ID), "type", "veth", "peer", "name", "eth0", "netns", space},
		{"link", "set", n.cable(m.ID), "master", n.bridge, "up"},
		{"-n", space, "addr", "add", host + "/24", "dev", "eth0"},
		{"-n", space, "link", "set", "eth0", "up"},
		{"-n", space, "link", "set", "lo", "up"},
	} {
		if err := ip(command...); err != nil {
			return err
		}
	}
	if number == 2 { // the first one tells for all
		n.netem = n.delay(m.ID, time.Millisecond) == nil
		if err := n.heal(); err != nil {
			return err
		}
	}
	m.Prefix = []string{"ip", "netns", "exec", space}
	m.Cluster, m.AMQP, m.HTTP = net.JoinHostPort(host, clusterPort), net.JoinHostPort(host, amqpPort), net.JoinHostPort(host, httpPort)
	m.User, m.Password, m.Config = user, password, offLoopback
	return nil
}

// Off loopback a broker wants users, and nodes that nobody else can reach. The hash
// is the password's; all three are of this network only, which ends with the run.
const (
	user        = "chaos"
	password    = "secret"
	offLoopback = `cluster: {insecure: true}
users:
- {name: chaos, password_hash: "$2a$10$3QaEI97oYlmatg6qxOBw/eHoCcjsNHWz9RoMeRSH9RZJb9zwUTjcW"}
`
)

func (n *namespaces) cannot(fault string) string {
	switch {
	case fault == "reset":
		return "a kernel's connections end when their processes do"
	case fault == "delay" && !n.netem:
		return "this kernel has no netem"
	default:
		return ""
	}
}

func (n *namespaces) cut(d direction) error {
	n.cuts = append(n.cuts, d)
	return ip("-n", n.space(d.from), "route", "add", "blackhole", n.host(n.hosts[d.to]))
}

func (n *namespaces) reset(string, string) {}

// slow delays all that a node sends: netem knows no destinations.
func (n *namespaces) slow(d direction, delay time.Duration) error {
	if n.slowed[d.from] {
		return nil
	}
	return n.delay(d.from, delay)
}

func (n *namespaces) delay(node string, delay time.Duration) error {
	err := run("ip", "netns", "exec", n.space(node), "tc", "qdisc", "add", "dev", "eth0", "root", "netem", "delay", delay.String())
	n.slowed[node] = err == nil
	return err
}

func (n *namespaces) heal() error {
	var errs []error
	for _, d := range n.cuts {
		errs = append(errs, ip("-n", n.space(d.from), "route", "del", "blackhole", n.host(n.hosts[d.to])))
	}
	n.cuts = nil
	for node, slow := range n.slowed {
		if slow {
			errs = append(errs, run("ip", "netns", "exec", n.space(node), "tc", "qdisc", "del", "dev", "eth0", "root"))
		}
	}
	clear(n.slowed)
	return errors.Join(errs...)
}

// close removes all that was made; the cables go with their namespaces.
func (n *namespaces) close() error {
	var errs []error
	for node := range n.hosts {
		errs = append(errs, ip("netns", "del", n.space(node)))
	}
	return errors.Join(append(errs, ip("link", "del", n.bridge))...)
}

func ip(args ...string) error { return run("ip", args...) }

func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
