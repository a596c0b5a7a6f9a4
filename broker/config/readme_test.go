package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The configuration reference in README.md has a row for every key, with its
// variable and its default.
func TestEveryKeyStandsInTheReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			rows[strings.Trim(cells[1], " `")] = line
		}
	}
	defaults := reflect.ValueOf(Default())
	for _, key := range Keys() {
		require.Contains(t, rows, key)
		require.Contains(t, rows[key], Variable(key))
		if value := shown(at(defaults, key)); key != "amqp" && value != "" && value != "[]" {
			require.Contains(t, rows[key], "`"+value+"`", "the default of %s", key)
		}
	}
	listener, policy := DefaultListener(""), DefaultPolicy("")
	for _, part := range []any{&listener, &policy} {
		v := reflect.ValueOf(part).Elem()
		for i, key := range keysOf(v.Type()) {
			require.Contains(t, rows, key)
			if value := shown(v.Field(i)); value != "" && rows[key] != "" && !strings.Contains(rows[key], "ENTREPOT") {
				require.Contains(t, rows[key], "`"+value+"`", "the default of %s", key)
			}
		}
	}
}

// at follows a path of keys.
func at(v reflect.Value, path string) reflect.Value {
	for _, key := range strings.Split(path, ".") {
		v, _ = fieldOf(v, key)
	}
	return v
}

// shown is a value as the tables write it.
func shown(v reflect.Value) string {
	if span, ok := v.Interface().(time.Duration); ok && span != 0 {
		return FormatDuration(span)
	} else if ok {
		return "0"
	}
	return fmt.Sprint(v.Interface())
}
