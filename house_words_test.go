package house

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strings"
	"testing"
)

// Every exported name says what it is.
func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		comment := "" // the last one of a function; it may speak of its neighbour too
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Doc != nil {
					comment = d.Doc.Text()
				}
				if d.Name.IsExported() && !strings.Contains(comment, d.Name.Name) && d.Doc == nil && ownerIsExported(d) && !speaksForItself[d.Name.Name] {
					t.Errorf("%s: %s has no comment: say what it does, its limits and its errors", s.at(d), d.Name.Name)
				}
			case *ast.GenDecl:
				checkGroup(t, s, d)
			}
		}
	}
}

// speaksForItself are methods whose meaning the standard library gives.
var speaksForItself = map[string]bool{"String": true, "Error": true, "Unwrap": true}

// ownerIsExported: a method of a type that nobody sees needs no comment.
func ownerIsExported(f *ast.FuncDecl) bool {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return true
	}
	base := f.Recv.List[0].Type
	for {
		switch b := base.(type) {
		case *ast.StarExpr:
			base = b.X
		case *ast.IndexExpr:
			base = b.X
		case *ast.IndexListExpr:
			base = b.X
		case *ast.Ident:
			return b.IsExported()
		default:
			return true
		}
	}
}

// checkGroup: a comment on a group of constants or variables speaks for all.
func checkGroup(t *testing.T, s source, d *ast.GenDecl) {
	if d.Doc != nil && d.Tok != token.TYPE {
		return
	}
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc == nil && d.Doc == nil {
				t.Errorf("%s: type %s has no comment: say what it is and who owns it", s.at(spec), spec.Name.Name)
			}
		case *ast.ValueSpec:
			_, typed := spec.Type.(*ast.Ident) // what it can be, its type says
			if spec.Names[0].IsExported() && spec.Doc == nil && spec.Comment == nil && !typed {
				t.Errorf("%s: %s has no comment: say what it is and its unit", s.at(spec), spec.Names[0].Name)
			}
		}
	}
}

// Every package begins with what it is for.
func TestPackagesAreIntroduced(t *testing.T) {
	introduced, seen := map[string]bool{}, map[string]string{}
	for _, s := range sources(t) {
		if !s.isTest() {
			seen[s.room()] = s.path
			introduced[s.room()] = introduced[s.room()] || s.file.Doc != nil
		}
	}
	for room, file := range seen {
		if !introduced[room] {
			t.Errorf("%s: package %s has no comment: begin one file with \"// Package %s ...\"", file, room, path.Base(room))
		}
	}
}

// promises are words that put work off.
var promises = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b|not implemented yet`)

// What is not done is not promised in the code.
func TestNothingIsPutOff(t *testing.T) {
	for _, s := range sources(t) {
		if s.room() == "." {
			continue // these words are the rule's own
		}
		for _, group := range s.file.Comments {
			for _, comment := range group.List {
				if word := promises.FindString(comment.Text); word != "" {
					t.Errorf("%s: %q in a comment: do it, or write an issue and say here what holds today", s.at(comment), word)
				}
			}
		}
	}
}

// What a reader can hold in mind at once, in lines.
const (
	longestFunction = 80
	longestFile     = 500
)

// A file is one idea, a function one step.
func TestNothingIsTooLong(t *testing.T) {
	for _, s := range sources(t) {
		if lines := s.set.Position(s.file.End()).Line; lines > longestFile {
			t.Errorf("%s has %d lines, at most %d: give its second idea a file of its own", s.path, lines, longestFile)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil || s.isTest() {
				continue
			}
			lines := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1
			if lines > longestFunction {
				t.Errorf("%s: %s has %d lines, at most %d: name its steps", s.at(f), f.Name.Name, lines, longestFunction)
			}
		}
	}
}
