package queue

import (
	"fmt"
	"strings"
)

const (
	anyLevel = "*" // one level, whatever it is
	anyRest  = "#" // the rest, no level or many; last level only
)

// Pattern says which addresses a policy is about: levels separated by "/", of
// which "*" stands for any one level and "#", as the last one, for any rest:
// "a/#" matches "a", "a/b" and "a/b/c".
type Pattern struct {
	text   string
	levels []string
}

// ParsePattern reads a pattern. What is not a wildcard must be as in a name.
func ParsePattern(text string) (Pattern, error) {
	levels := strings.Split(text, "/")
	for i, level := range levels {
		switch {
		case level == anyRest && i != len(levels)-1:
			return Pattern{}, fmt.Errorf("pattern %q: %q must be the last level", text, anyRest)
		case level != anyLevel && level != anyRest && strings.ContainsAny(level, "*#"):
			return Pattern{}, fmt.Errorf("pattern %q: a wildcard must be a whole level, not part of %q", text, level)
		}
	}
	literal := strings.NewReplacer(anyLevel, "x", anyRest, "x").Replace(text)
	if err := ValidateName(literal); err != nil {
		return Pattern{}, fmt.Errorf("pattern %q: %w", text, err)
	}
	return Pattern{text: text, levels: levels}, nil
}

// String is the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Matches tells whether the pattern is about name. To choose among many
// patterns use a PolicySet.
func (p Pattern) Matches(name string) bool {
	rest, more := name, true
	for _, level := range p.levels {
		if level == anyRest {
			return true
		}
		if !more {
			return false
		}
		var first string
		first, rest, more = strings.Cut(rest, "/")
		if level != anyLevel && level != first {
			return false
		}
	}
	return !more
}
