package house

import (
	"go/ast"
	"strings"
	"testing"
)

// floors are the rooms from the top of the house down. A room may use what
// stands below it as listed, and itself. docs/architecture.md has the drawing.
var floors = []struct {
	room string
	uses []string
}{
	{"cmd/entrepot", []string{"broker", "journal"}},
	{"bench", []string{"broker/brokerproc", "protocol"}},
	{"broker/admin", []string{"broker/config", "queue"}},
	{"broker/config", []string{"queue"}},
	{"broker/brokerproc", nil},
	{"broker/crash", []string{"broker/brokerproc", "journal", "protocol"}},
	{"broker/chaos", []string{"broker/brokerproc", "broker/crash"}},
	{"broker/sim", []string{"broker", "cluster", "journal"}},
	{"broker/sim/history", nil},
	{"broker/interop", []string{"broker/brokerproc"}},
	{"broker/clusterdemo", []string{"broker/brokerproc"}},
	{"broker", []string{"protocol", "cluster", "journal", "queue"}},
	{"cluster", []string{"journal", "queue"}},
	{"cluster/mesh", nil},
	{"cluster/mesh/memnet", nil},
	{"journal", []string{"queue"}},
	{"queue", nil},
	{"protocol/amqp/wire", nil},
	{"protocol/amqp", nil},
}

// owners are the libraries that only some rooms may know.
var owners = []struct {
	library string
	rooms   []string
	instead string
}{
	{"github.com/hashicorp/", []string{"cluster"}, "use package cluster: only it knows Raft"},
	{"github.com/cockroachdb/pebble", []string{"journal"}, "use package journal: only it knows Pebble"},
	{"github.com/prometheus/", []string{"broker/admin"}, "give the number to admin.Metrics"},
	{"github.com/spf13/cobra", []string{"cmd"}, "take an argument: only commands know flags"},
	{"go.yaml.in/yaml", []string{"broker/config", "broker/admin"}, "add a field to config.Config"},
	{"github.com/Azure/go-amqp", []string{"cmd", "bench", "broker/interop", "broker/crash", "broker/sim"}, "use package protocol/amqp; go-amqp is a client to test with"},
	{"github.com/anishathalye/porcupine", []string{"broker/sim/history"}, "it judges histories; write one"},
	{"github.com/nats-io/", []string{"bench"}, "NATS is a peer to measure against"},
	{"gonum.org/", []string{"bench"}, "plots belong to the bench"},
	{"math/rand", nil, "use math/rand/v2"},
	{"log", []string{"cluster"} /* hclog's interface names it */, "use log/slog, and take the logger as an argument"},
	{"io/ioutil", nil, "use io and os"},
}

// Imports go downward only.
func TestImportsGoDownward(t *testing.T) {
	for _, s := range sources(t) {
		floor := floorOf(s.room())
		s.imports(func(spec *ast.ImportSpec, path string) {
			used, ours := strings.CutPrefix(path, "entrepot/")
			if !ours || isUnder(used, floor.room) {
				return
			}
			if !isUnder(used, floor.uses...) {
				t.Errorf("%s: %s may not use %s; it may use %v. Move the code down, or let the upper room pass it in",
					s.at(spec), s.room(), used, floor.uses)
			}
		})
	}
}

// floorOf is the entry of the innermost room that is listed.
func floorOf(room string) (floor struct {
	room string
	uses []string
}) {
	for _, f := range floors {
		if isUnder(room, f.room) && len(f.room) > len(floor.room) {
			floor = f
		}
	}
	return floor
}

func TestEveryRoomHasAFloor(t *testing.T) {
	for _, s := range sources(t) {
		if s.room() != "." && floorOf(s.room()).room == "" {
			t.Errorf("%s: the room %s is not in the list of floors; add it to house_imports_test.go and to docs/architecture.md", s.path, s.room())
		}
	}
}

// Each big library has one room that knows it.
func TestLibrariesStayInTheirRoom(t *testing.T) {
	for _, s := range sources(t) {
		s.imports(func(spec *ast.ImportSpec, path string) {
			for _, o := range owners {
				matches := path == o.library || strings.Contains(o.library, ".") && strings.HasPrefix(path, o.library)
				if matches && !isUnder(s.room(), o.rooms...) && !testsMayUse(s, path) {
					t.Errorf("%s: %s may not use %s: %s", s.at(spec), s.room(), path, o.instead)
				}
			}
		})
	}
}

// testsMayUse: clients to test the broker with, and Pebble's file systems, which
// can crash, to put under it.
func testsMayUse(s source, path string) bool {
	return s.isTest() && (path == "github.com/Azure/go-amqp" || strings.HasPrefix(path, "github.com/cockroachdb/pebble/v2/vfs"))
}

// testLibraries are what tests of the plain rooms may use beside the standard
// library.
var testLibraries = []string{"pgregory.net/rapid", "github.com/cockroachdb/datadriven", "github.com/stretchr/testify", "go.uber.org/goleak", "entrepot"}

// plainRooms need nothing but the standard library: the pure ones, and the mesh,
// which has sockets, but does not know what it carries.
var plainRooms = append([]string{"cluster/mesh"}, pureRooms...)

// The plain rooms need nothing but the standard library.
func TestPlainRoomsUseTheStandardLibraryOnly(t *testing.T) {
	for _, s := range sources(t) {
		if !isUnder(s.room(), plainRooms...) {
			continue
		}
		s.imports(func(spec *ast.ImportSpec, path string) {
			first, _, _ := strings.Cut(path, "/")
			if !strings.Contains(first, ".") || s.isTest() && isUnder(path, testLibraries...) {
				return
			}
			t.Errorf("%s: %s uses the standard library only, not %s. What needs a library belongs to broker, cluster or journal", s.at(spec), s.room(), path)
		})
	}
}
