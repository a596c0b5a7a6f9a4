package house

import (
	"go/ast"
	"strings"
	"testing"
)

// pureRooms have no I/O: bytes and times come in as arguments, results go out.
var pureRooms = []string{"protocol", "queue"}

// impureImports may not be used there, and why.
var impureImports = map[string]string{
	"net":          "take bytes as an argument; broker/socket.go has the sockets",
	"net/http":     "broker/admin has the HTTP",
	"os":           "take bytes as an argument; journal has the files",
	"sync":         "the caller owns the state: one goroutine at a time",
	"sync/atomic":  "the caller owns the state: one goroutine at a time",
	"log/slog":     "return an error or an event; broker has the log",
	"math/rand/v2": "take the random number as an argument, so that a failure can be replayed",
	"crypto/rand":  "take the random number as an argument, so that a failure can be replayed",
	"context":      "nothing here waits; the caller decides when to go on",
	"runtime":      "nothing here may depend on scheduling",
}

// clockCalls read the clock or wait for it.
var clockCalls = map[string]bool{
	"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "AfterFunc": true,
	"Tick": true, "NewTimer": true, "NewTicker": true,
}

// No goroutine, lock, socket or clock in protocol and queue.
func TestPureRoomsHaveNoIOAndNoClock(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || !isUnder(s.room(), pureRooms...) {
			continue
		}
		s.imports(func(spec *ast.ImportSpec, path string) {
			if instead, banned := impureImports[path]; banned {
				t.Errorf("%s: %s may not use %s: %s", s.at(spec), s.room(), path, instead)
			}
		})
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: no goroutine in %s: return an event or an effect, and let broker run it", s.at(n), s.room())
			case *ast.SelectorExpr:
				if isSelector(n, "time") && clockCalls[n.Sel.Name] {
					t.Errorf("%s: no time.%s in %s: take the time as an argument", s.at(n), n.Sel.Name, s.room())
				}
			}
			return true
		})
	}
}

// A test that sleeps is slow when the machine is fast, and fails when it is
// slow. In virtual time sleeping is free: in what is given to synctest.Test or to a
// function that calls it, and in helpers whose comment says that they are for use
// "in a bubble".
func TestTestsDoNotSleep(t *testing.T) {
	bubbles := bubbleMakers(t)
	for _, s := range sources(t) {
		if !s.isTest() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok && strings.Contains(f.Doc.Text(), "in a bubble") {
				return false
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if maker, ok := call.Fun.(*ast.Ident); isCall(call, "synctest", "Test") || ok && bubbles[s.room()+"."+maker.Name] {
				return false // a bubble with a clock of its own
			}
			if isCall(call, "time", "Sleep") {
				t.Errorf("%s: no time.Sleep in a test: wait for the event itself (a channel, require.Eventually), or run in testing/synctest", s.at(call))
			}
			return true
		})
	}
}

// bubbleMakers are the functions of tests, "room.name", that run what they are given
// in a bubble.
func bubbleMakers(t *testing.T) map[string]bool {
	makers := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !s.isTest() || f.Recv != nil {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && isCall(call, "synctest", "Test") {
					makers[s.room()+"."+f.Name.Name] = true
				}
				return true
			})
		}
	}
	return makers
}

// What runs because a package is imported can't be configured, ordered or
// tested.
func TestThereIsNoInit(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: no init: let main or a constructor do it, or make it the value of a variable", s.at(f))
			}
		}
	}
}

// Only a main function ends the process, after everything that was deferred.
func TestOnlyMainExits(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok && (f.Name.Name == "main" && s.file.Name.Name == "main" || f.Name.Name == "TestMain") {
				return false
			}
			if call, ok := n.(*ast.CallExpr); ok && isCall(call, "os", "Exit") {
				t.Errorf("%s: no os.Exit outside of main: return an error", s.at(call))
			}
			return true
		})
	}
}

func isCall(call *ast.CallExpr, pkg, name string) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	return ok && isSelector(selector, pkg) && selector.Sel.Name == name
}

func isSelector(s *ast.SelectorExpr, pkg string) bool {
	id, ok := s.X.(*ast.Ident)
	return ok && id.Name == pkg
}
