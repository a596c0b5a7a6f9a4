// Package house holds the rules that the whole of this repository keeps and
// that no compiler knows: which room may use which, what a room without I/O
// may not call, what a test may not do. Each failure names what to do instead.
package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A source is one parsed Go file.
type source struct {
	path string // from the root, with slashes
	file *ast.File
	set  *token.FileSet
}

// room is the package of the file, from the root: "protocol/amqp".
func (s source) room() string { return path.Dir(s.path) }

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// at says where a node stands, as the compiler would.
func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.set.Position(n.Pos()).Line)
}

// imports gives each import with its path.
func (s source) imports(each func(spec *ast.ImportSpec, path string)) {
	for _, spec := range s.file.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			each(spec, path)
		}
	}
}

// sources is every Go file of the repository, parsed once.
func sources(t *testing.T) []source {
	t.Helper()
	all, err := parsed()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

var parsed = sync.OnceValues(func() ([]source, error) {
	var all []source
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(entry.Name(), ".") && name != "."
		if entry.IsDir() && (hidden || entry.Name() == "testdata" || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, source{path: filepath.ToSlash(name), file: file, set: set})
		return nil
	})
	return all, err
})

// isUnder reports whether a room is one of the rooms, or inside of one.
func isUnder(room string, rooms ...string) bool {
	for _, r := range rooms {
		if room == r || strings.HasPrefix(room, r+"/") {
			return true
		}
	}
	return false
}
