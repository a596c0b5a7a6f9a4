package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/broker/config"
	"entrepot/cmd/entrepot/internal/console"
)

func TestALifeOfAQueue(t *testing.T) {
	s := newSite(t)
	require.Equal(t, "declared command/t/1\n", s.ok("", "queue", "declare", "command/t/1", "--ttl-max", "7d", "--max-messages", "5", "--max-bytes", "1MiB"))
	q := s.json("", "queue", "show", "command/t/1")
	require.Equal(t, map[string]any{"ttl_max": "7d", "max_messages": 5.0, "max_bytes": 1048576.0}, q["declared"])
	text := s.ok("", "queue", "show", "command/t/1")
	for _, line := range []string{"name            command/t/1", "ttl max         7d", "max messages    5", "max deliveries  none"} {
		require.Contains(t, text, line+"\n")
	}

	s.ok("", "send", "command/t/1", "x", "--count", "3")
	require.Equal(t, "purged command/t/1 with 3 messages\n", s.ok("", "queue", "purge", "command/t/1"))
	s.ok("", "send", "command/t/1", "x")
	require.Equal(t, map[string]any{"name": "command/t/1", "messages": 1.0}, s.json("", "queue", "delete", "command/t/1"))
	for _, command := range []string{"show", "delete", "purge"} {
		r := s.run("", "queue", command, "command/t/1")
		require.Equal(t, console.ExitNotFound, r.code, r.err)
	}
}

func TestNamesThatNeedEncoding(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"a/b", "a//b", "/", ".", "..", "../x", "100%", "%2F", "a b?c#d&e=f", "ü/🙂", "a+b", "x/purge"} {
		require.Equal(t, name, s.json("", "queue", "declare", name)["name"])
		require.Equal(t, name, s.json("", "queue", "show", name)["name"])
		s.ok("", "queue", "delete", name)
	}
}

func TestManyQueues(t *testing.T) {
	s := newSite(t)
	var names strings.Builder
	for i := range 2500 { // three pages
		fmt.Fprintf(&names, "many/%04d\n", i)
	}
	declared := s.json(names.String()+"\nother\n", "queue", "declare", "--lines", "--max-messages", "9")
	require.EqualValues(t, 2501, declared["declared"])

	var list []struct {
		Name      string
		Effective struct {
			MaxMessages int `json:"max_messages"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(s.ok("", "queue", "list", "--prefix", "many/", "-o", "json")), &list))
	require.Len(t, list, 2500)
	for i, q := range list {
		require.Equal(t, fmt.Sprintf("many/%04d", i), q.Name)
		require.Equal(t, 9, q.Effective.MaxMessages)
	}
	require.Len(t, strings.Split(s.ok("", "queue", "list", "--limit", "1200"), "\n"), 1+1200+1)
	require.Equal(t, "[\n]\n", s.ok("", "queue", "list", "--prefix", "none", "-o", "json"))
}

func TestADeclarationMayNotWidenThePolicy(t *testing.T) {
	s := newSite(t, func(c *config.Config) {
		p := config.DefaultPolicy("small/#")
		p.MaxMessages = 10
		c.Policies = []config.Policy{p}
	})
	r := s.run("", "queue", "declare", "small/q", "--max-messages", "11")
	require.Equal(t, console.ExitUsage, r.code)
	require.Contains(t, r.err, "max messages 11 is more than the policy's 10")
	// The first error ends the work on a list of names.
	r = s.run("small/q\n", "queue", "declare", "--lines", "--max-messages", "11")
	require.Equal(t, console.ExitUsage, r.code)
	require.Contains(t, r.err, "small/q: ")
}
