package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
)

// session runs the whole peer over pipes, as a test of the agent drives it.
type session struct {
	t        *testing.T
	commands *io.PipeWriter
	lines    *bufio.Reader
	done     chan error
	addresses
}

func start(t *testing.T) *session {
	in, commands := io.Pipe()
	out, printed := io.Pipe()
	s := &session{t: t, commands: commands, lines: bufio.NewReader(out), done: make(chan error, 1)}
	go func() { s.done <- run("127.0.0.1:0", "127.0.0.1:0", in, newPrinter(printed)) }()
	if err := json.Unmarshal([]byte(s.line()), &s.addresses); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *session) line() string {
	line, err := s.lines.ReadString('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (s *session) say(command string) {
	if _, err := io.WriteString(s.commands, command+"\n"); err != nil {
		s.t.Fatal(err)
	}
}

// ask sends one request and gives the printed line and the answer.
func (s *session) ask(conn net.Conn, request string) (string, string) {
	if _, err := io.WriteString(conn, request); err != nil {
		s.t.Fatal(err)
	}
	line := s.line()
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	return line, strings.TrimSuffix(answer, "\n")
}

func dial(t *testing.T, addr string) net.Conn {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestInvalidItemsAreThoseTheTransferDrops(t *testing.T) {
	good := MetricValue{Endpoint: "h", Metric: "m", Value: 1.0, Step: 60, Type: "GAUGE"}
	with := func(change func(*MetricValue)) *MetricValue {
		item := good
		change(&item)
		return &item
	}
	cases := []struct {
		name string
		item *MetricValue
		want bool
	}{
		{"plain", with(func(m *MetricValue) {}), true},
		{"null", nil, false},
		{"kernel.hostname", with(func(m *MetricValue) { m.Metric = "kernel.hostname" }), false},
		{"no metric", with(func(m *MetricValue) { m.Metric = "" }), false},
		{"no endpoint", with(func(m *MetricValue) { m.Endpoint = "" }), false},
		{"lower case type", with(func(m *MetricValue) { m.Type = "gauge" }), false},
		{"derive", with(func(m *MetricValue) { m.Type = "DERIVE" }), true},
		{"step 0", with(func(m *MetricValue) { m.Step = 0 }), false},
		{"510 bytes", with(func(m *MetricValue) { m.Tags = strings.Repeat("t", 509) }), true},
		{"511 bytes", with(func(m *MetricValue) { m.Tags = strings.Repeat("t", 510) }), false},
		{"numeric text", with(func(m *MetricValue) { m.Value = "1.5" }), true},
		{"text", with(func(m *MetricValue) { m.Value = "abc" }), false},
		{"empty text", with(func(m *MetricValue) { m.Value = "" }), false},
		{"null value", with(func(m *MetricValue) { m.Value = nil }), false},
		{"bool", with(func(m *MetricValue) { m.Value = true }), false},
	}
	for _, c := range cases {
		if got := valid(c.item); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func TestUpdateIsPrintedWithTheTypesItCameWith(t *testing.T) {
	s := start(t)
	conn := dial(t, s.Transfer)
	line, answer := s.ask(conn, `{"method":"Transfer.Update","params":[[null,{"endpoint":"h","metric":"m","value":"1.5",`+
		`"step":60,"counterType":"GAUGE","tags":"a=<b>","timestamp":7}]],"id":3}`)
	expect(t, line, `{"call":"Transfer.Update","items":[null,{"endpoint":"h","metric":"m","value":"1.5","step":60,`+
		`"counterType":"GAUGE","tags":"a=<b>","timestamp":7}],"invalid":1}`)
	answer = regexp.MustCompile(`"Latency":\d+`).ReplaceAllString(answer, `"Latency":N`)
	expect(t, answer, `{"id":3,"result":{"Message":"ok","Total":2,"Invalid":1,"Latency":N},"error":null}`)
	line, answer = s.ask(conn, `{"method":"Transfer.Ping","params":[{}],"id":4}`)
	expect(t, line, `{"call":"Transfer.Ping"}`)
	expect(t, answer, `{"id":4,"result":{"code":0},"error":null}`)
}

func TestHbsAnswersAsOneThatAssignsNothing(t *testing.T) {
	s := start(t)
	conn := dial(t, s.Hbs)
	line, answer := s.ask(conn, `{"method":"Agent.ReportStatus","params":[{"Hostname":"h","IP":"::1"}],"id":0}`)
	expect(t, line, `{"call":"Agent.ReportStatus","args":{"Hostname":"h","IP":"::1","AgentVersion":"","PluginVersion":""}}`)
	expect(t, answer, `{"id":0,"result":{"code":0},"error":null}`)
	_, answer = s.ask(conn, `{"method":"Agent.ReportStatus","params":[{"Hostname":""}],"id":1}`)
	expect(t, answer, `{"id":1,"result":{"code":1},"error":null}`)
	_, answer = s.ask(conn, `{"method":"Agent.BuiltinMetrics","params":[{"Hostname":"","Checksum":"nil"}],"id":2}`)
	expect(t, answer, `{"id":2,"result":{"Metrics":null,"Checksum":"","Timestamp":0},"error":null}`)
	_, answer = s.ask(conn, `{"method":"Agent.TrustableIps","params":[{}],"id":3}`)
	expect(t, answer, `{"id":3,"result":"","error":null}`)
}

func TestHbsFollowsItsScript(t *testing.T) {
	s := start(t)
	conn := dial(t, s.Hbs)
	// The checksum is the md5 of "du.bs/path=/anet.port.listen/port=80".
	s.say(`hbs {"Metrics":[{"Metric":"du.bs","Tags":"path=/a"},{"Metric":"net.port.listen","Tags":"port=80"}],` +
		`"Plugins":["sys/ntp"],"Trustable":"10.0.0.5"}`)
	expect(t, s.line(), `{"event":"hbs"}`)
	whole := `"Metrics":[{"Metric":"du.bs","Tags":"path=/a"},{"Metric":"net.port.listen","Tags":"port=80"}]`
	checksum := "31f2ba2b147d47a48c4a97e0f5af8f6e"
	ask := func(id, known, metrics string) {
		t.Helper()
		_, answer := s.ask(conn, `{"method":"Agent.BuiltinMetrics","params":[{"Hostname":"h","Checksum":"`+known+`"}],"id":`+id+`}`)
		answer = regexp.MustCompile(`"Timestamp":\d{10}`).ReplaceAllString(answer, `"Timestamp":N`)
		expect(t, answer, `{"id":`+id+`,"result":{`+metrics+`,"Checksum":"`+checksum+`","Timestamp":N},"error":null}`)
	}
	ask("0", "nil", whole)
	ask("1", checksum, `"Metrics":[]`)
	_, answer := s.ask(conn, `{"method":"Agent.TrustableIps","params":[{}],"id":2}`)
	expect(t, answer, `{"id":2,"result":"10.0.0.5","error":null}`)
	s.say("hbs nonsense")
	if line := s.line(); !strings.HasPrefix(line, `{"event":"error"`) {
		t.Error(line)
	}
}

func TestDownDropsConnectionsAndUpKeepsThePort(t *testing.T) {
	s := start(t)
	conn := dial(t, s.Transfer)
	s.ask(conn, `{"method":"Transfer.Ping","params":[{}],"id":0}`)
	s.say("down")
	expect(t, s.line(), `{"event":"down"}`)
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlived its server")
	}
	if late, err := net.Dial("tcp", s.Transfer); err == nil {
		late.Close()
		t.Error("a closed listener took a connection")
	}
	s.say("up")
	expect(t, s.line(), `{"event":"up"}`)
	s.ask(dial(t, s.Transfer), `{"method":"Transfer.Ping","params":[{}],"id":0}`)
	s.say("sideways")
	expect(t, s.line(), `{"event":"error","message":"unknown command \"sideways\""}`)
	s.commands.Close()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}
