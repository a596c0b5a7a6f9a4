#!/bin/sh
# Makes stopped.tar.gz and killed.tar.gz: see README.md. Run it from the root of the
# repository; it needs git, go, and curl. What comes out differs in every byte from
# what is checked in, and the test must pass with either.
set -eu

release=7f96b03                 # the last one before there were clusters
here=$PWD/broker/testdata/upgrade
work=$(mktemp -d)
tree=$work/tree
broker=
trap '[ -z "$broker" ] || kill -9 $broker 2>/dev/null || true; git worktree remove --force "$tree"; rm -rf "$work"' EXIT

git worktree add --quiet --detach "$tree" "$release"
mkdir "$tree/cmd/fill"
cp "$here/fill/main.go" "$tree/cmd/fill/"
(cd "$tree" && CGO_ENABLED=0 go build -o "$work/entrepot" ./cmd/entrepot && go build -o "$work/fill" ./cmd/fill)

# A small memtable, or the preallocated log makes the archive big.
export ENTREPOT_STORAGE_WINDOW=1MiB ENTREPOT_STORAGE_MEMTABLE=4MiB ENTREPOT_STORAGE_MAX_AGE=1s
amqp=127.0.0.1:15672 http=127.0.0.1:18161

# serve starts the broker on a directory and waits until it is ready.
serve() {
	"$work/entrepot" serve --data "$1" --amqp $amqp --http $http 2>"$work/log" &
	broker=$!
	until curl -sf http://$http/readyz >/dev/null; do sleep 0.1; done
}

# fill leaves the broker as fill/main.go says; the rows of the first half are on disk
# in their places before the second half comes.
fill() {
	"$work/entrepot" queue declare limited --http $http --max-messages 5 --max-deliveries 3 --ttl-max 8760h
	"$work/fill" amqp://$amqp first
	sleep 3
	rm -f "$work/filled"
	"$work/fill" amqp://$amqp second >"$work/filled" &
	filler=$!
	until [ -s "$work/filled" ]; do sleep 0.02; done
}

serve "$work/stopped"
fill
kill -TERM $broker && wait $broker
kill $filler

serve "$work/killed"
fill
kill -KILL $broker && wait $broker || true
kill $filler
broker=

"$work/entrepot" journal verify --data "$work/stopped"
"$work/entrepot" journal verify --data "$work/killed"
for store in stopped killed; do
	tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -cf - $store | gzip -9n >"$here/$store.tar.gz"
done
ls -l "$here"/*.tar.gz
