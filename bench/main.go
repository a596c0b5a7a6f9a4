// Command bench measures Entrepot side by side with other brokers. README.md tells
// how to run it and what the cases are.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"entrepot/bench/internal/peer"
)

// options are the command line.
type options struct {
	cases    string
	peers    string
	nodes    int
	rounds   int
	duration time.Duration
	out      string
	dir      string
	quick    bool
	profile  bool
	rabbitmq string
}

func main() {
	o := parseFlags()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.cases, "cases", "", "names of cases and sets, comma-separated (default \"table,go-amqp\"; with -nodes \"cluster\"): "+strings.Join(caseNames(), ", "))
	flag.StringVar(&o.peers, "peers", "entrepot,nats-2m,nats-always,rabbitmq",
		"brokers in the order of the table's columns: entrepot, entrepot-os, nats-2m, nats-always, rabbitmq, or NAME=PATH for another entrepot binary")
	flag.IntVar(&o.nodes, "nodes", 1, "nodes of every broker; the cases of a cluster are made for 3")
	flag.IntVar(&o.rounds, "rounds", 3, "times that every case is run on every broker, in turn")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "measured time of a case with traffic")
	flag.StringVar(&o.out, "out", "bench-results", "directory for bench.json, bench.md and plots")
	flag.StringVar(&o.dir, "dir", "", "where the brokers keep their data, on the disk to measure (default: a new directory in -out)")
	flag.BoolVar(&o.quick, "quick", false, "one short round of shrunk cases: does it all still run?")
	flag.BoolVar(&o.profile, "profile", false, "also leave CPU profiles by perf(1) in -out")
	flag.StringVar(&o.rabbitmq, "rabbitmq-root", peer.DefaultRabbitMQRoot, "chroot that has RabbitMQ; empty: on PATH")
	flag.Parse()
	if o.cases == "" {
		o.cases = string(table) + "," + string(goamq)
		if o.nodes > 1 {
			o.cases = string(cluster)
		}
	}
	if o.quick {
		o.rounds, o.duration = 1, time.Second
	}
	return o
}

// measure runs everything and writes the reports.
func measure(ctx context.Context, o options) error {
	chosen, err := choose(o.cases, o.nodes > 1)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if o.dir == "" {
		o.dir = filepath.Join(o.out, "data")
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil { // a chroot and other working directories see the same
		return err
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	brokers, err := o.brokers()
	if err != nil {
		return err
	}
	b := newBench(o, chosen)
	if err := b.install(ctx, brokers); err != nil {
		return err
	}
	return errors.Join(b.rounds(ctx), b.write())
}

// brokers are the peers by name.
func (o options) brokers() ([]peer.Broker, error) {
	var brokers []peer.Broker
	for name := range strings.SplitSeq(o.peers, ",") {
		dir := filepath.Join(o.dir, name)
		switch name {
		case "entrepot":
			brokers = append(brokers, o.entrepot(name, "", "fsync"))
		case "entrepot-os":
			brokers = append(brokers, o.entrepot(name, "", "os"))
		case "nats-2m":
			brokers = append(brokers, peer.NewNATS(name, "2m", o.nodes, dir))
		case natsAlways:
			brokers = append(brokers, peer.NewNATS(name, "always", o.nodes, dir))
		case "rabbitmq":
			brokers = append(brokers, peer.NewRabbitMQ(o.rabbitmq, o.nodes, dir))
		default:
			label, binary, found := strings.Cut(name, "=")
			if !found {
				return nil, fmt.Errorf("no broker is called %q", name)
			}
			brokers = append(brokers, o.entrepot(label, binary, "fsync"))
		}
	}
	return brokers, nil
}

// entrepot is our own broker: one node runs standalone.
func (o options) entrepot(name, binary, durability string) peer.Broker {
	dir := filepath.Join(o.dir, name)
	if o.nodes > 1 {
		return peer.NewEntrepotCluster(name, binary, durability, o.nodes, dir)
	}
	return peer.NewEntrepot(name, binary, durability, dir)
}
