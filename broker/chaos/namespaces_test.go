package main

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/broker/brokerproc"
)

// namespaced is a network with n1 and n2; without the rights for it, or the tools,
// the test is skipped.
func namespaced(t *testing.T) (n *namespaces, members [2]brokerproc.Member) {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("no ip(8)")
	}
	n, err := newNamespaces()
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, n.close()) })
	for i := range members {
		members[i].ID = "n" + string(rune('1'+i))
		if err := n.place(&members[i]); err != nil {
			t.Skip(err)
		}
	}
	return n, members
}

// routes is what a member's kernel says of the way to another one.
func routes(t *testing.T, from, to *brokerproc.Member) string {
	t.Helper()
	host, _, err := net.SplitHostPort(to.Cluster)
	require.NoError(t, err)
	command := append(append([]string{}, from.Prefix...), "ip", "route", "get", host)
	out, _ := exec.Command(command[0], command[1:]...).CombinedOutput() // a blackhole is an exit code, too
	return string(out)
}

func TestACutIsOneWay(t *testing.T) {
	n, m := namespaced(t)
	require.Contains(t, routes(t, &m[0], &m[1]), "dev eth0")
	require.NoError(t, n.cut(direction{"n1", "n2"}))
	require.NotContains(t, routes(t, &m[0], &m[1]), "dev eth0")
	require.Contains(t, routes(t, &m[1], &m[0]), "dev eth0")
	require.NoError(t, n.heal())
	require.Contains(t, routes(t, &m[0], &m[1]), "dev eth0")
	require.NoError(t, n.heal(), "nothing is cut")
}

func TestNothingOfANamespaceStays(t *testing.T) {
	n, m := namespaced(t)
	require.NotEqual(t, m[0].AMQP, m[1].AMQP)
	list := func() string {
		out, err := exec.Command("ip", "netns", "list").Output()
		require.NoError(t, err)
		return string(out)
	}
	require.Equal(t, 2, strings.Count(list(), n.bridge+"-"))
	for id := range n.hosts {
		require.NoError(t, ip("netns", "del", n.space(id)))
	}
	clear(n.hosts)
	require.NotContains(t, list(), n.bridge+"-")
}
