package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// clustered loads a node n1 of three on loopback; more is the rest of the
// section, a line each.
func clustered(t *testing.T, more ...string) (Config, error) {
	t.Helper()
	lines := []string{"cluster:"}
	for _, line := range more {
		lines = append(lines, "  "+line)
	}
	return loadText(t, strings.Join(lines, "\n"), nil)
}

const (
	asN1   = "node: n1"
	listen = "listen: 127.0.0.1:1"
	peers  = "peers: n1=127.0.0.1:1,n2=127.0.0.1:2,n3=127.0.0.1:3"
)

func TestANodeOfACluster(t *testing.T) {
	cfg, err := clustered(t, asN1, listen, peers)
	require.NoError(t, err)
	require.True(t, cfg.Cluster.Clustered())
	require.True(t, cfg.Cluster.Founder())
	require.Equal(t, "127.0.0.1:1", cfg.Cluster.Advertised())
	require.Empty(t, cfg.Warnings())
	require.Equal(t, "n3=127.0.0.1:3", cfg.Cluster.Peers[2].String())

	standalone := Default()
	require.False(t, standalone.Cluster.Clustered())
}

// A node that is not among the peers joins them.
func TestANodeThatJoins(t *testing.T) {
	cfg, err := clustered(t, "node: n4", "listen: 127.0.0.1:4", peers)
	require.NoError(t, err)
	require.False(t, cfg.Cluster.Founder())
	require.Equal(t, "127.0.0.1:4", cfg.Cluster.Advertised())
}

// However the peers are given, they are the same.
func TestPeersFromEverywhere(t *testing.T) {
	want := []Peer{{"n1", "127.0.0.1:1"}, {"n2", "127.0.0.1:2"}}
	listening := []string{"ENTREPOT_CLUSTER_NODE=n1", "ENTREPOT_CLUSTER_LISTEN=127.0.0.1:1"}
	for name, load := range map[string]func() (Config, error){
		"a list": func() (Config, error) {
			return loadText(t, "cluster: {peers: ['n1=127.0.0.1:1', 'n2=127.0.0.1:2']}", listening)
		},
		"a text": func() (Config, error) {
			return loadText(t, "cluster: {peers: 'n1=127.0.0.1:1, n2=127.0.0.1:2'}", listening)
		},
		"a variable": func() (Config, error) {
			return loadText(t, "", append(listening, "ENTREPOT_CLUSTER_PEERS=n1=127.0.0.1:1,n2=127.0.0.1:2"))
		},
		"a flag, which replaces the file's": func() (Config, error) {
			return loadText(t, "cluster: {peers: n9=x:1}", listening, Setting{
				Key: "cluster.peers", Origin: "--cluster-peers", Values: []string{"n1=127.0.0.1:1,n2=127.0.0.1:2"},
			})
		},
		"two flags": func() (Config, error) {
			return loadText(t, "", listening, Setting{
				Key: "cluster.peers", Origin: "--cluster-peers", Values: []string{"n1=127.0.0.1:1", "n2=127.0.0.1:2"},
			})
		},
	} {
		cfg, err := load()
		require.NoError(t, err, name)
		require.Equal(t, want, cfg.Cluster.Peers, name)
	}
}

func TestMistakesInACluster(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"a name", []string{"node: N1", listen, peers}, `entrepot.yaml:2: cluster.node: "N1" is no id of a node`},
		{"a long name", []string{"node: " + strings.Repeat("a", 64), listen, peers}, "is no id of a node: 1 to 63"},
		{"nobody has named it", []string{listen, peers}, "cluster.node: wants an id that no other node of the cluster has (--node)"},
		{"no address", []string{asN1, "listen: here", peers}, `cluster.listen: "here" is no HOST:PORT`},
		{"no peers", []string{asN1, listen}, "cluster.peers: wants the nodes of the cluster"},
		{"a peer without a name", []string{asN1, listen, "peers: ['127.0.0.1:1']"}, `cluster.peers[0]: "127.0.0.1:1" is no ID=HOST:PORT`},
		{"a text with such a peer", []string{asN1, listen, "peers: x,n1=a:1"}, `entrepot.yaml:4: cluster.peers: "x" is no ID=HOST:PORT`},
		{"a peer's name", []string{asN1, listen, "peers: n_1=127.0.0.1:1"}, `cluster.peers[0]: "n_1" is no id`},
		{"a peer's address", []string{asN1, listen, "peers: n1=127.0.0.1"}, `cluster.peers[0]: "127.0.0.1" is no HOST:PORT`},
		{"a peer twice", []string{asN1, listen, "peers: n1=127.0.0.1:1,n1=127.0.0.1:2"}, "cluster.peers[1]: the node n1 stands there twice"},
		{"an address twice", []string{asN1, listen, "peers: n1=127.0.0.1:1,n2=127.0.0.1:1"}, "the address 127.0.0.1:1 stands there twice"},
		{"too many shards", []string{asN1, listen, peers, "shards: 65"}, "cluster.shards: 65 is not between 0 and 64"},
		{"peers of nobody", []string{peers}, "cluster.peers: means nothing without cluster.listen"},
		{"an address of nobody", []string{"advertise: 127.0.0.1:1"}, "cluster.advertise: means nothing without cluster.listen"},
		{"lease", []string{"lease: 2s"}, "cluster.lease: 2s is not between 50ms and 1s"},
		{"election", []string{"election: 500ms"}, "cluster.election: 500ms is not between 1s and 1m"},
		{"half of TLS", []string{"tls: {cert: x, ca: y}"}, "cluster.tls.key: wants a file: cert, key and ca go together"},
		{"any interface", []string{asN1, "listen: 0.0.0.0:1", "peers: n2=127.0.0.1:2"}, "cluster.advertise: other nodes can't connect to 0.0.0.0:1"},
		{"any port", []string{asN1, "listen: 127.0.0.1:0", "peers: n2=127.0.0.1:2"}, "cluster.advertise: other nodes can't connect to 127.0.0.1:0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := clustered(t, c.lines...)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// Off loopback the other nodes must prove who they are, unless the operator
// has said that they need not.
func TestOffLoopbackNodesWantTLS(t *testing.T) {
	const wide = "listen: 10.0.0.1:1"
	for name, lines := range map[string][]string{
		"listen":    {asN1, wide, peers},
		"advertise": {asN1, listen, peers, "advertise: n1.example.org:1"},
		"a peer":    {asN1, listen, "peers: n1=127.0.0.1:1,n2=10.0.0.2:2"},
	} {
		_, err := clustered(t, lines...)
		require.ErrorContains(t, err, "is not loopback, so nodes must know each other by certificates", name)
		_, err = clustered(t, append(lines, "tls: {cert: a, key: b, ca: c}")...)
		require.NoError(t, err, name)
		cfg, err := clustered(t, append(lines, "insecure: true")...)
		require.NoError(t, err, name)
		require.Contains(t, cfg.Warnings()[0], "cluster.insecure: whoever can connect to")
	}
}

func TestAnEvenNumberOfNodesIsWarnedOf(t *testing.T) {
	cfg, err := clustered(t, asN1, listen, "peers: n1=127.0.0.1:1,n2=127.0.0.1:2")
	require.NoError(t, err)
	require.Equal(t, []string{"a cluster of 2 nodes survives the loss of as many as one of 1"}, cfg.Warnings())
}
