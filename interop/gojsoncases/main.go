// Command gojsoncases prints how Go's encoding/json decodes a list of hard inputs into the item type of /v1/push.
//
// Its output is the fixture crates/agent/tests/fixtures/gojson-cases.txt:
//
//	go run ./gojsoncases > ../crates/agent/tests/fixtures/gojson-cases.txt
//
// A line is: input TAB result. Bytes other than printable ASCII, and those the notation itself needs, are written
// %XX. An input is pieces joined by '&', each repeated N times where it ends in '*N'. A result is "error", "nil" (a
// nil slice), or [item;item;...]; an item is "nil" or endpoint,metric,value,step,counterType,tags,timestamp, where the
// value is nil, true, false, array, object, s:STRING or n:IEEE754 (the bits in hexadecimal).
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
)

type item struct {
	Endpoint    string      `json:"endpoint"`
	Metric      string      `json:"metric"`
	Value       interface{} `json:"value"`
	Step        int64       `json:"step"`
	CounterType string      `json:"counterType"`
	Tags        string      `json:"tags"`
	Timestamp   int64       `json:"timestamp"`
}

type piece struct {
	text  string
	count int
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, input := range inputs() {
		var raw bytes.Buffer
		var notation []string
		for _, p := range input {
			raw.WriteString(strings.Repeat(p.text, p.count))
			if p.count == 1 {
				notation = append(notation, escape(p.text))
			} else {
				notation = append(notation, fmt.Sprintf("%s*%d", escape(p.text), p.count))
			}
		}
		fmt.Fprintf(out, "%s\t%s\n", strings.Join(notation, "&"), decode(raw.Bytes()))
	}
}

// decode does what the push handler of the Go agent does: the first value only.
func decode(raw []byte) string {
	var items []*item
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&items); err != nil {
		return "error"
	}
	if items == nil {
		return "nil"
	}
	texts := make([]string, len(items))
	for i, it := range items {
		texts[i] = "nil"
		if it != nil {
			texts[i] = fmt.Sprintf("%s,%s,%s,%d,%s,%s,%d", escape(it.Endpoint), escape(it.Metric), value(it.Value),
				it.Step, escape(it.CounterType), escape(it.Tags), it.Timestamp)
		}
	}
	return "[" + strings.Join(texts, ";") + "]"
}

func value(v interface{}) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case bool:
		return fmt.Sprint(v)
	case float64:
		return fmt.Sprintf("n:%016x", math.Float64bits(v))
	case string:
		return "s:" + escape(v)
	case []interface{}:
		return "array"
	default:
		return "object"
	}
}

func escape(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		if b <= ' ' || b >= 0x7f || strings.IndexByte("%&*,;", b) >= 0 {
			fmt.Fprintf(&out, "%%%02X", b)
		} else {
			out.WriteByte(b)
		}
	}
	return out.String()
}
