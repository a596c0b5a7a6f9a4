package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// loadText loads a file with this content, and nothing else.
func loadText(t *testing.T, text string, environ []string, flags ...Setting) (Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "entrepot.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return Load(file, environ, flags)
}

func TestDefaultIsValid(t *testing.T) {
	cfg, err := Load("", nil, nil)
	require.NoError(t, err)
	require.Equal(t, Default(), cfg)
	require.Empty(t, cfg.Warnings())
}

func TestEverySettingCanStandInTheFile(t *testing.T) {
	hash, err := HashPassword("secret")
	require.NoError(t, err)
	cfg, err := loadText(t, `
data: /var/lib/entrepot
amqp:
  - 127.0.0.1:5672
  - address: 0.0.0.0:5671
    max_frame_size: 4KiB
    idle_timeout: 30s
    max_message_size: 10MB
    channel_max: 7
    handle_max: 8
http: 0.0.0.0:80
durability: os
log_format: json
log_level: warn
limits: {max_messages: 9, max_bytes: 1GiB, max_connections: 10, disk_low: 1GiB, disk_high: 2GiB}
storage: {window: 16MiB, max_age: 2s, memtable: 64MiB, cache: 8MiB}
cluster:
  node: n1
  listen: 0.0.0.0:5680
  advertise: n1.example.org:5680
  peers: ["n1=10.0.0.1:5680", {id: n2, address: "10.0.0.2:5680"}]
  shards: 5
  tls: {cert: a, key: b, ca: c}
  insecure: true
  heartbeat: 2s
  election: 3s
  lease: 1s
users:
  - {name: gateway, password_hash: "`+hash+`"}
policies:
  - pattern: command/*/*
    kind: queue
    create: declared
    ttl_default: 1d
    ttl_min: 1s
    ttl_max: 7d
    max_messages: 1000
    max_bytes: 1MiB
    max_deliveries: 5
    max_unsettled: 10
    metrics: true
  - pattern: telemetry/#
`, nil)
	require.NoError(t, err)
	want := Config{
		Data: "/var/lib/entrepot",
		AMQP: []Listener{
			DefaultListener("127.0.0.1:5672"), // an address alone is a listener with the defaults
			{Address: "0.0.0.0:5671", MaxFrameSize: 4096, IdleTimeout: 30 * time.Second, MaxMessageSize: 10_000_000, ChannelMax: 7, HandleMax: 8},
		},
		HTTP: "0.0.0.0:80", Durability: OS, LogFormat: LogJSON, LogLevel: LevelWarn,
		Limits:  Limits{MaxMessages: 9, MaxBytes: GiB, MaxConnections: 10, DiskLow: GiB, DiskHigh: 2 * GiB},
		Storage: Storage{Window: 16 * MiB, MaxAge: 2 * time.Second, MemTable: 64 * MiB, Cache: 8 * MiB},
		Cluster: Cluster{
			Node: "n1", Listen: "0.0.0.0:5680", Advertise: "n1.example.org:5680",
			Peers:  []Peer{{ID: "n1", Address: "10.0.0.1:5680"}, {ID: "n2", Address: "10.0.0.2:5680"}},
			Shards: 5, TLS: TLS{Cert: "a", Key: "b", CA: "c"}, Insecure: true,
			Heartbeat: 2 * time.Second, Election: 3 * time.Second, Lease: time.Second,
		},
		Users: []User{{Name: "gateway", PasswordHash: hash}},
		Policies: []Policy{
			{
				Pattern: "command/*/*", Kind: "queue", Create: CreateDeclared,
				TTLDefault: 24 * time.Hour, TTLMin: time.Second, TTLMax: 7 * 24 * time.Hour,
				MaxMessages: 1000, MaxBytes: MiB, MaxDeliveries: 5, MaxUnsettled: 10, Metrics: true,
			},
			DefaultPolicy("telemetry/#"),
		},
	}
	require.Equal(t, want, cfg)
}

func TestFlagsGoBeforeVariablesAndThoseBeforeTheFile(t *testing.T) {
	file := "data: from-file\nhttp: 127.0.0.1:1\nlog_level: error\n"
	environ := []string{"PATH=/bin", "ENTREPOT_HTTP=127.0.0.1:2", "ENTREPOT_LOG_LEVEL=warn", "ENTREPOT_LIMITS_MAX_BYTES=1KiB"}
	cfg, err := loadText(t, file, environ, Setting{Key: "log_level", Origin: "--log-level", Values: []string{"debug"}})
	require.NoError(t, err)
	require.Equal(t, "from-file", cfg.Data)
	require.Equal(t, "127.0.0.1:2", cfg.HTTP)
	require.Equal(t, LevelDebug, cfg.LogLevel)
	require.Equal(t, KiB, cfg.Limits.MaxBytes)
}

// A flag replaces the list of listeners, but what the file says of an address
// still holds for that address.
func TestAddressesFromOutsideKeepTheirDescription(t *testing.T) {
	file := "amqp:\n  - {address: 127.0.0.1:1, channel_max: 3}\n  - 127.0.0.1:2\n"
	cfg, err := loadText(t, file, []string{"ENTREPOT_AMQP=127.0.0.1:1,127.0.0.1:9"})
	require.NoError(t, err)
	described := DefaultListener("127.0.0.1:1")
	described.ChannelMax = 3
	require.Equal(t, []Listener{described, DefaultListener("127.0.0.1:9")}, cfg.AMQP)
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	for _, c := range []struct {
		name, file, want string
		environ          []string
		flags            []Setting
	}{
		{name: "unknown key", file: "data: x\nlog_levle: warn\n", want: "entrepot.yaml:2: log_levle: unknown key; did you mean log_level?"},
		{name: "unknown key inside", file: "limits:\n  colour: blue\n", want: "entrepot.yaml:2: limits.colour: unknown key; known are max_messages, max_bytes, max_connections, disk_low, disk_high"},
		{name: "unknown key in a list", file: "amqp:\n- address: 127.0.0.1:1\n  idle: 3s\n", want: "entrepot.yaml:3: amqp[0].idle: unknown key; known are address"},
		{name: "twice", file: "data: x\ndata: y\n", want: "entrepot.yaml:2: data: stands there twice"},
		{name: "no YAML", file: "data: [\n", want: "entrepot.yaml: line 1: did not find expected node content"},
		{name: "a list for a value", file: "http: [a]\n", want: "entrepot.yaml:1: http: wants one value, not a list"},
		{name: "nothing for a value", file: "http:\n", want: "entrepot.yaml:1: http: wants one value, not nothing"},
		{name: "a value for keys", file: "limits: 3\n", want: "entrepot.yaml:1: limits: wants keys and values, not a single value"},
		{name: "a list as the file", file: "- a\n", want: "entrepot.yaml:1: wants keys and values, not a list"},
		{name: "size", file: "limits: {max_bytes: much}\n", want: `entrepot.yaml:1: limits.max_bytes: "much" is no size`},
		{name: "duration", file: "storage: {max_age: 5}\n", want: `entrepot.yaml:1: storage.max_age: "5" is no duration`},
		{name: "number too large", file: "amqp: {address: 'localhost:1', channel_max: 65536}\n", want: `amqp[0].channel_max: "65536" is no whole number from 0 to 65535`},
		{name: "truth", file: "policies: [{pattern: a, metrics: maybe}]\n", want: `policies[0].metrics: "maybe" is neither true nor false`},
		{name: "unknown variable", environ: []string{"ENTREPOT_DATTA=x"}, want: "ENTREPOT_DATTA: unknown variable; did you mean ENTREPOT_DATA?"},
		{name: "variable", environ: []string{"ENTREPOT_DURABILITY=none"}, want: `ENTREPOT_DURABILITY: durability: "none" is not "fsync" or "os"`},
		{name: "flag", flags: []Setting{{Key: "http", Origin: "--http", Values: []string{"8161"}}}, want: `--http: http: "8161" is no HOST:PORT`},
		{name: "flag among several", flags: []Setting{{Key: "amqp", Origin: "--amqp", Values: []string{"localhost:1", "x"}}}, want: `--amqp: amqp[1].address: "x" is no HOST:PORT`},
		{name: "no listener", file: "amqp: []\n", want: "entrepot.yaml:1: amqp: wants at least one address"},
		{name: "listener twice", file: "amqp: ['[::1]:1', '[::1]:1']\n", want: "amqp[1].address: [::1]:1 is listed twice"},
		{name: "frame size", file: "amqp: {address: 'localhost:1', max_frame_size: 511}\n", want: "amqp[0].max_frame_size: 511 is not between 512 and 64MiB"},
		{name: "idle time-out", file: "amqp: {address: 'localhost:1', idle_timeout: 1ms}\n", want: "amqp[0].idle_timeout: 1ms is not between 100ms and "},
		{name: "HTTP for everybody", file: "http: :8161\n", want: "entrepot.yaml:1: http: :8161 is not loopback, so it wants users"},
		{name: "disk", file: "limits: {disk_low: 1GiB, disk_high: 1MiB}\n", want: "limits.disk_high: 1MiB is below disk_low, 1GiB"},
		{name: "memtable", file: "storage: {window: 1GiB}\n", want: "storage.memtable: 64MiB is not between 1GiB and 2GiB"},
		{name: "hash", file: "users: [{name: a, password_hash: secret}]\n", want: "users[0].password_hash: is no bcrypt hash; entrepot user hash makes one"},
		{name: "user's name", file: "users: [{name: 'a:b'}]\n", want: `users[0].name: "a:b" has a colon`},
		{name: "no name", file: "users: [{password_hash: x}]\n", want: "users[0].name: wants 1 to 255 bytes of UTF-8"},
		{name: "pattern", file: "policies:\n- pattern: a/#/b\n", want: `entrepot.yaml:2: policies[0]: pattern "a/#/b": "#" must be the last level`},
		{name: "pattern twice", file: "policies: [{pattern: a}, {pattern: a}]\n", want: `policies[1].pattern: "a" stands there twice`},
		{name: "kind", file: "policies: [{pattern: a, kind: topic}]\n", want: `policies[0].kind: "topic" is not "queue"`},
		{name: "create", file: "policies: [{pattern: a, create: always}]\n", want: `policies[0].create: "always" is not "on-use", "declared" or "never"`},
		{name: "ttl bounds", file: "policies: [{pattern: a, ttl_min: 2s, ttl_max: 1s}]\n", want: "policies[0]: ttl min 2s is more than ttl max 1s"},
		{name: "ttl default", file: "policies: [{pattern: a, ttl_default: 2s, ttl_max: 1s}]\n", want: "policies[0]: ttl default 2s is more than ttl max 1s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadText(t, c.file, c.environ, c.flags...)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	_, err := loadText(t, "colour: blue\nhttp: [a]\n", []string{"ENTREPOT_X=1"})
	require.ErrorContains(t, err, "colour")
	require.ErrorContains(t, err, "http")
	require.ErrorContains(t, err, "ENTREPOT_X")
	var first *Error
	require.ErrorAs(t, err, &first)
	require.Equal(t, "colour", first.Key)
}

func TestAMissingFileIsAnError(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "nowhere.yaml"), nil, nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAnEmptyFileSaysNothing(t *testing.T) {
	cfg, err := loadText(t, "# only a comment\nlimits:\nusers:\n", nil)
	require.NoError(t, err)
	require.Empty(t, cfg.Users)
	require.Equal(t, Default().Limits, cfg.Limits)
}

// In a pod beside a Service named entrepot these are set by Kubernetes, and
// the commands' own variables may be set for the whole container.
func TestVariablesThatAreNoSettingsOfTheBroker(t *testing.T) {
	_, err := Load("", []string{
		"ENTREPOT_PORT=tcp://10.0.0.1:5672", "ENTREPOT_PORT_5672_TCP_ADDR=10.0.0.1", "ENTREPOT_SERVICE_HOST=10.0.0.1",
		"ENTREPOT_URL=amqp://localhost", "ENTREPOT_PASSWORD=x", "ENTREPOT_CONFIG=y",
	}, nil)
	require.NoError(t, err)
}

func TestAnAddressForOthersWantsUsers(t *testing.T) {
	_, err := Load("", []string{"ENTREPOT_AMQP=0.0.0.0:5672"}, nil)
	require.ErrorContains(t, err, "0.0.0.0:5672 is not loopback, so it wants users to log in, and there are none")
}

func TestIsLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true,
		"0.0.0.0:1": false, ":1": false, "[::]:1": false, "10.0.0.1:1": false, "example.org:1": false, "127.0.0.1": false,
	} {
		require.Equal(t, want, IsLoopback(address), address)
	}
}
