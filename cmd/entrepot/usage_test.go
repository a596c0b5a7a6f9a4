package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/broker/config"
	"entrepot/cmd/entrepot/internal/console"
)

// alone runs a command that needs no broker.
func alone(t *testing.T, input string, args ...string) result {
	t.Helper()
	return runIn(t.Context(), nil, strings.NewReader(input), args...)
}

func TestACommandLineThatCanNotBeMeantSo(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"sned"}, `unknown command "sned"`},
		{[]string{"send"}, "accepts between 1 and 2 arg(s)"},
		{[]string{"send", "q", "x", "--colour"}, "unknown flag: --colour"},
		{[]string{"send", "q", "x", "--size", "1"}, "only one of BODY, --size and --lines"},
		{[]string{"send", "q", "--lines", "--count", "2"}, "--lines sends as many messages as there are lines"},
		{[]string{"send", "q", "--size", "much"}, `"much" is no size`},
		{[]string{"send", "q", "--ttl", "soon"}, `"soon" is no duration`},
		{[]string{"send", "q", "--property", "k"}, `"k" is not KEY=VALUE`},
		{[]string{"send", "q", "x", "--url", "http://h"}, "is no amqp://HOST:PORT"},
		{[]string{"receive", "q", "-o", "xml"}, `"xml" is not "text" or "json"`},
		{[]string{"queue", "list", "--http", "ftp://h"}, "is no HOST:PORT"},
		{[]string{"queue", "declare"}, "give names, or --lines"},
		{[]string{"queue", "declare", "a", "--lines"}, "give names, or --lines"},
		{[]string{"queue", "delete"}, "requires at least 1 arg(s)"},
	} {
		r := alone(t, "", c.args...)
		require.Equal(t, console.ExitUsage, r.code, c.args)
		require.Contains(t, r.err, c.want)
		require.Empty(t, r.out)
	}
}

func TestConfigCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "entrepot.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }

	write("cluster: {node: n1, listen: 127.0.0.1:7000, peers: [n1=127.0.0.1:7000, n2=127.0.0.1:7001]}\n")
	r := alone(t, "", "config", "check", file)
	require.Zero(t, r.code, r.err)
	require.Contains(t, r.out, "is fine")
	require.Contains(t, r.out, "warning: a cluster of 2 nodes")

	write("amqp: 0.0.0.0:5672\n")
	r = alone(t, "", "config", "check", file)
	require.Equal(t, console.ExitFailed, r.code, "serve would refuse it")
	require.Contains(t, r.out, "0.0.0.0:5672 is not loopback")

	write("colour: blue\nhttp: x\nlimits: {disk: 1}\n")
	r = alone(t, "", "config", "check", file, "-o", "json")
	require.Equal(t, console.ExitFailed, r.code)
	var said checked
	require.NoError(t, json.Unmarshal([]byte(r.out), &said))
	require.False(t, said.OK)
	require.Len(t, said.Errors, 2, "what can't be read is said first, what is wrong with the rest after")
	require.Contains(t, said.Errors[0], "entrepot.yaml:1: colour: unknown key")

	r = alone(t, "", "config", "check", file+".not")
	require.Equal(t, console.ExitFailed, r.code)
	require.Contains(t, r.out, "no such file")
}

// One file can be that of all nodes, which differ by name only.
func TestConfigCheckOfANodeOfACluster(t *testing.T) {
	file := filepath.Join(t.TempDir(), "entrepot.yaml")
	text := "cluster: {listen: '127.0.0.1:1', peers: ['n1=127.0.0.1:1', 'n2=127.0.0.2:1', 'n3=127.0.0.3:1']}\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	require.Contains(t, alone(t, "", "config", "check", file).out, "cluster.node: wants an id")
	require.Zero(t, alone(t, "", "config", "check", file, "--node", "n2").code)
	require.Contains(t, alone(t, "", "config", "check", file, "--node", "N2").out, "--node: cluster.node: ")
}

// The environment is the running broker's, not the file's.
func TestConfigCheckDoesNotLookAtTheEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "entrepot.yaml")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Zero(t, runIn(t.Context(), []string{"ENTREPOT_X=1"}, strings.NewReader(""), "config", "check", file).code)
}

func TestUserHash(t *testing.T) {
	r := alone(t, "secret\nmore\n", "user", "hash")
	require.Zero(t, r.code)
	user := config.User{Name: "ann", PasswordHash: strings.TrimSpace(r.out)}
	require.True(t, config.NewAuthenticator([]config.User{user}).Verify("ann", "secret"))
	require.Equal(t, console.ExitFailed, alone(t, "", "user", "hash").code)
}

func TestVersion(t *testing.T) {
	require.Contains(t, alone(t, "", "version").out, "entrepot ")
	require.Contains(t, alone(t, "", "version", "-o", "json").out, `"go":"go1.`)
}

func TestServeRefusesABadConfiguration(t *testing.T) {
	r := runIn(t.Context(), []string{"ENTREPOT_DURABILITY=none"}, strings.NewReader(""), "serve", "--http", "0.0.0.0:0")
	require.Equal(t, console.ExitFailed, r.code)
	require.Contains(t, r.err, "ENTREPOT_DURABILITY: durability: ")
	require.Contains(t, r.err, "--http: http: 0.0.0.0:0 is not loopback")
}

// Every command says what it does and takes -o, but for those that have no
// result.
func TestEveryCommandHasHelp(t *testing.T) {
	w := &world{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
	for _, cmd := range w.root().Commands() {
		require.NotEmpty(t, cmd.Short, cmd.Name())
		leaves := cmd.Commands()
		if len(leaves) == 0 {
			leaves = append(leaves, cmd)
		}
		for _, leaf := range leaves {
			require.NotEmpty(t, leaf.Short, leaf.Name())
			if leaf.Name() != "serve" {
				require.NotNil(t, leaf.Flags().Lookup("output"), leaf.Name())
			}
		}
	}
}
