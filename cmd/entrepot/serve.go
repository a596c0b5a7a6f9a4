package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"entrepot/broker"
	"entrepot/broker/config"
)

// shutdownTimeout leaves a second of the promised ten for the process itself.
const shutdownTimeout = 9 * time.Second

func (w *world) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a broker node",
		Long: "Run a broker node until SIGTERM or SIGINT. Every flag may stand in the file too, and as\n" +
			"ENTREPOT_* in the environment; a flag goes before a variable, and that before the file.",
		Args: cobra.NoArgs,
	}
	d := config.Default()
	flags := cmd.Flags()
	file := flags.String("config", w.getenv("ENTREPOT_CONFIG", ""), "YAML file with settings")
	flags.String("data", d.Data, "directory of the store")
	flags.StringArray("amqp", []string{d.AMQP[0].Address}, "address for AMQP clients; may be given several times")
	flags.String("http", d.HTTP, "address for health, metrics and administration")
	flags.String("durability", string(d.Durability), "when a message is accepted: fsync (on disk) or os (with the kernel)")
	flags.String("node", d.Cluster.Node, "id of this node, for ever")
	flags.String("cluster-listen", "", "address for the other nodes of a cluster; none: standalone")
	flags.String("cluster-advertise", "", "where the other nodes reach this one, if not as --cluster-peers or --cluster-listen say")
	flags.StringArray("cluster-peers", nil, "nodes that form the cluster, n1=HOST:PORT,n2=HOST:PORT,...; without this one: some of the cluster that it joins")
	flags.String("shards", "0", "shards of a new cluster; 0: as many as peers")
	flags.String("log-format", string(d.LogFormat), "text or json")
	flags.String("log-level", string(d.LogLevel), "debug, info, warn or error")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(*file, w.environ, givenSettings(cmd))
		if err != nil {
			return err
		}
		return w.serve(cmd.Context(), cfg)
	}
	return cmd
}

// serveFlags are the flags of serve, and the settings they are.
var serveFlags = []struct{ flag, key string }{
	{"data", "data"},
	{"amqp", "amqp"},
	{"http", "http"},
	{"durability", "durability"},
	{"node", "cluster.node"},
	{"cluster-listen", "cluster.listen"},
	{"cluster-advertise", "cluster.advertise"},
	{"cluster-peers", "cluster.peers"},
	{"shards", "cluster.shards"},
	{"log-format", "log_format"},
	{"log-level", "log_level"},
}

// givenSettings are the flags that the user has given.
func givenSettings(cmd *cobra.Command) []config.Setting {
	var given []config.Setting
	for _, f := range serveFlags {
		flag := cmd.Flags().Lookup(f.flag)
		if !flag.Changed {
			continue
		}
		values := []string{flag.Value.String()}
		if list, err := cmd.Flags().GetStringArray(f.flag); err == nil {
			values = list
		}
		given = append(given, config.Setting{Key: f.key, Origin: "--" + f.flag, Values: values})
	}
	return given
}

// serve runs a broker until ctx ends or the broker can't go on.
func (w *world) serve(ctx context.Context, cfg config.Config) error {
	w.tuneMemory()
	logger := w.logger(cfg)
	for _, warning := range cfg.Warnings() {
		logger.Warn(warning)
	}
	b, err := broker.New(cfg, logger)
	if err != nil {
		return err
	}
	if err := b.Start(ctx); err != nil {
		return err
	}
	w.greet(cfg, b.Addresses(), b.HTTPAddress())
	var fatal error
	select {
	case <-ctx.Done():
		logger.Info("stopping")
	case fatal = <-b.Fatal():
	}
	stopping, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err = b.Shutdown(stopping)
	if fatal != nil {
		return fatal
	}
	return err
}

func (w *world) logger(cfg config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // config.Load has checked the word
	options := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == config.LogJSON {
		return slog.New(slog.NewJSONHandler(w.err, options))
	}
	return slog.New(slog.NewTextHandler(w.err, options))
}

// greet says where the broker listens, and a line to try.
func (w *world) greet(cfg config.Config, amqp []string, http string) {
	fmt.Fprintf(w.out, "entrepot %s is ready\n", config.Version())
	for _, address := range amqp {
		fmt.Fprintf(w.out, "  AMQP 1.0  amqp://%s\n", address)
	}
	fmt.Fprintf(w.out, "  HTTP      http://%s\n", http)
	fmt.Fprintf(w.out, "  data      %s (%s)\n", cfg.Data, cfg.Durability)
	if c := &cfg.Cluster; c.Clustered() {
		fmt.Fprintf(w.out, "  cluster   node %s at %s\n", c.Node, c.Advertised())
	}
	url := ""
	if amqp[0] != config.Default().AMQP[0].Address {
		url = " --url amqp://" + amqp[0]
	}
	self := os.Args[0]
	fmt.Fprintf(w.out, "try: %s send%s hello 'first message' && %s receive%s hello --count 1\n", self, url, self, url)
}
