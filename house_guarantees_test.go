package house

import (
	"fmt"
	"go/ast"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const guaranteesPage = "docs/guarantees.md"

// sections cuts a page at its headings of the second level.
func sections(t *testing.T, page string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	parts := map[string]string{}
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		parts[title] = body
	}
	return parts
}

// rows are the cells of the tables in a section, without their heads.
func rows(section string) (all [][]string) {
	head := true
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		switch {
		case !strings.HasPrefix(line, "|"):
			head = true
		case strings.HasPrefix(line, "|---"):
			head = false
		case !head:
			cells := strings.Split(strings.Trim(line, "|"), " | ")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			all = append(all, cells)
		}
	}
	return all
}

// evidence is a test file in backquotes, the name of a test, or a target of make.
var evidence = regexp.MustCompile("`([a-z_0-9/]+_test\\.go)`|\\b((?:Test|Fuzz)[A-Z]\\w*)|`make ([a-z]+)`")

// What docs/guarantees.md names as proof is there: each test in the file that stands
// before it in its line, each target of make in the Makefile.
func TestGuaranteesAreTested(t *testing.T) {
	tests := map[string][]string{} // names by file
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && s.isTest() {
				tests[s.path] = append(tests[s.path], f.Name.Name)
			}
		}
	}
	makefile, err := os.ReadFile("Makefile")
	require.NoError(t, err)
	page, err := os.ReadFile(guaranteesPage)
	require.NoError(t, err)
	number, named := 0, 0
	for line := range strings.Lines(string(page)) {
		number++
		at, file := fmt.Sprintf("%s:%d", guaranteesPage, number), ""
		for _, m := range evidence.FindAllStringSubmatch(line, -1) {
			switch {
			case m[1] != "":
				file = m[1]
				require.Contains(t, tests, file, "%s: there is no such file of tests", at)
			case m[2] != "":
				named++
				if file != "" || strings.HasPrefix(line, "|") {
					require.Contains(t, tests[file], m[2], "%s: %q has no such test", at, file)
				}
			default:
				require.Contains(t, string(makefile), "\n"+m[3]+":", "%s: make has no such target", at)
			}
		}
	}
	require.Greater(t, named, 50)
}

// Every promise and every stated behaviour has its row in "How it is tested", which
// names a test.
func TestEveryGuaranteeHasItsRow(t *testing.T) {
	parts := sections(t, guaranteesPage)
	var shown []string
	for _, row := range rows(parts["How it is tested"]) {
		require.Regexp(t, `Test[A-Z]`, row[1], "%s: %q names no test", guaranteesPage, row[0])
		shown = append(shown, row[0])
	}
	for _, row := range rows(parts["What is promised"]) {
		require.True(t, slices.ContainsFunc(shown, func(s string) bool { return strings.HasPrefix(s, row[0]+" ") }),
			"%s: promise %s has no row in \"How it is tested\"", guaranteesPage, row[0])
	}
	behaviours := rows(parts["How a node behaves when something is wrong"])
	require.NotEmpty(t, behaviours)
	for _, row := range behaviours {
		require.Contains(t, shown, row[0], "%s: no row in \"How it is tested\"", guaranteesPage)
	}
}
