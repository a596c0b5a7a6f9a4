package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/broker"
	"entrepot/broker/config"
	"entrepot/cmd/entrepot/internal/console"
)

// stopped is the data directory of a broker that has taken three messages into
// a queue with a name of the nasty kind, and was stopped.
func stopped(t *testing.T) string {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.HTTP, cfg.AMQP = t.TempDir(), "127.0.0.1:0", []config.Listener{config.DefaultListener("127.0.0.1:0")}
	b, err := broker.New(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	s := &site{t: t, environ: []string{"ENTREPOT_URL=amqp://" + b.Addresses()[0]}}
	s.ok("", "send", `a: "b"`, "body", "--count", "3", "--ttl", "1h")
	require.NoError(t, b.Shutdown(t.Context()))
	return cfg.Data
}

func TestJournalVerify(t *testing.T) {
	data := stopped(t)
	r := alone(t, "", "journal", "verify", "--data", data)
	require.Zero(t, r.code, r.out, r.err)
	require.Contains(t, r.out, "3 messages in 1 queues")
	require.Contains(t, r.out, " rows checked, 0 problems\n")

	var store verifiedStore
	require.NoError(t, json.Unmarshal([]byte(alone(t, "", "journal", "verify", "--data", data, "-o", "json").out), &store))
	require.True(t, store.OK)
	require.EqualValues(t, 3, store.Shards[0].Messages)

	damage(t, data)
	r = alone(t, "", "journal", "verify", "--data", data)
	require.Equal(t, console.ExitFailed, r.code)
	require.Contains(t, r.out, "problem: ")
	require.Contains(t, r.err, "problems in "+data)
}

// damage changes a byte in the middle of every table of the store.
func damage(t *testing.T, data string) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(config.JournalDir(data), "*.sst"))
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	for _, table := range tables {
		content, err := os.ReadFile(table)
		require.NoError(t, err)
		content[len(content)/3] ^= 1
		require.NoError(t, os.WriteFile(table, content, 0o600))
	}
}

func TestJournalDump(t *testing.T) {
	data := stopped(t)
	text := alone(t, "", "journal", "dump", "--data", data, "--kinds", "NQ", "--payloads")
	require.Zero(t, text.code, text.err)
	require.Contains(t, text.out, `"a: \"b\""`)
	require.Equal(t, 3, strings.Count(text.out, "body"))

	r := alone(t, "", "journal", "dump", "--data", data, "-o", "json")
	require.Zero(t, r.code, r.err)
	keys := map[string]string{}
	lines := json.NewDecoder(strings.NewReader(r.out))
	for lines.More() {
		var row dumpedRow
		require.NoError(t, lines.Decode(&row))
		require.NotEmpty(t, row.Value, row.Key)
		keys[row.Key[:1]] = row.Key
	}
	require.Contains(t, keys["N"], `"a: \"b\""`, "cut behind the name, not in it")
	for _, kind := range []string{"S", "N", "H", "Q", "T"} {
		require.Contains(t, keys, kind)
	}
}

func TestJournalOfNobody(t *testing.T) {
	for _, command := range []string{"dump", "verify"} {
		r := alone(t, "", "journal", command, "--data", filepath.Join(t.TempDir(), "none"))
		require.Equal(t, console.ExitFailed, r.code)
		require.Contains(t, r.err, "not exist")
	}
}

// A running broker has the directory.
func TestJournalOfARunningBroker(t *testing.T) {
	var data string
	newSite(t, func(c *config.Config) { data = c.Data })
	for _, command := range []string{"dump", "verify"} {
		r := alone(t, "", "journal", command, "--data", data)
		require.Equal(t, console.ExitFailed, r.code)
		require.Contains(t, r.err, data)
	}
}

// However the text is cut into writes, the rows are the same.
func TestRowsAsJSON(t *testing.T) {
	const text = "L 0 7: term 1 type 3, 20 bytes, 2 records at 5 ms\n" +
		"  enqueue q1 4 bytes deadline 0\n  remove q1 settled #1+1\n" +
		"N 0 1.\"x: y\": q1 spec \"\"\nS 0 \"state\": K 7\n"
	const want = `{"key":"L 0 7","value":"term 1 type 3, 20 bytes, 2 records at 5 ms","records":["enqueue q1 4 bytes deadline 0","remove q1 settled #1+1"]}` + "\n" +
		`{"key":"N 0 1.\"x: y\"","value":"q1 spec \"\""}` + "\n" +
		`{"key":"S 0 \"state\"","value":"K 7"}` + "\n"
	for size := range len(text) {
		var out bytes.Buffer
		rows := &jsonRows{out: &out}
		for rest := text; rest != ""; {
			n := min(size+1, len(rest))
			_, err := rows.Write([]byte(rest[:n]))
			require.NoError(t, err)
			rest = rest[n:]
		}
		require.NoError(t, rows.flush())
		require.Equal(t, want, out.String())
	}
}
