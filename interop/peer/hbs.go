package main

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"sync"
	"time"
)

// AgentReportRequest is falcon-plus common/model.AgentReportRequest.
type AgentReportRequest struct {
	Hostname      string
	IP            string
	AgentVersion  string
	PluginVersion string
}

// AgentHeartbeatRequest is falcon-plus common/model.AgentHeartbeatRequest.
type AgentHeartbeatRequest struct {
	Hostname string
	Checksum string
}

// AgentPluginsResponse is falcon-plus common/model.AgentPluginsResponse.
type AgentPluginsResponse struct {
	Plugins   []string
	Timestamp int64
}

// BuiltinMetric is falcon-plus common/model.BuiltinMetric.
type BuiltinMetric struct {
	Metric string
	Tags   string
}

// BuiltinMetricResponse is falcon-plus common/model.BuiltinMetricResponse.
type BuiltinMetricResponse struct {
	Metrics   []*BuiltinMetric
	Checksum  string
	Timestamp int64
}

// script is what a test has hbs know of every host; at the start that is nothing.
type script struct {
	// Metrics in hbs's order, which is that of "metric/tags".
	Metrics   []*BuiltinMetric
	Plugins   []string
	Trustable string
	// Ahead is how many seconds its clock is.
	Ahead int64
}

// checksum is that of modules/hbs/rpc/agent.go.
func (s script) checksum() string {
	if len(s.Metrics) == 0 {
		return ""
	}
	hash := md5.New()
	for _, metric := range s.Metrics {
		io.WriteString(hash, metric.Metric+"/"+metric.Tags)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// Agent answers what an agent asks of hbs.
type Agent struct {
	out *printer

	mu     sync.Mutex
	script script
}

type callRecord struct {
	Call string      `json:"call"`
	Args interface{} `json:"args"`
}

// follow takes the JSON of a script, in the place of the one before.
func (a *Agent) follow(text string) error {
	var next script
	if err := json.Unmarshal([]byte(text), &next); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.script = next
	return nil
}

func (a *Agent) told() script {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.script
}

// ReportStatus refuses an empty host name with code 1, else answers code 0.
func (a *Agent) ReportStatus(args *AgentReportRequest, reply *SimpleRpcResponse) error {
	a.out.print(callRecord{"Agent.ReportStatus", args})
	if args.Hostname == "" {
		reply.Code = 1
	}
	return nil
}

// MinePlugins answers the whole list; for an empty host name it leaves the answer untouched.
func (a *Agent) MinePlugins(args AgentHeartbeatRequest, reply *AgentPluginsResponse) error {
	a.out.print(callRecord{"Agent.MinePlugins", args})
	if args.Hostname == "" {
		return nil
	}
	told := a.told()
	reply.Plugins = append([]string{}, told.Plugins...)
	reply.Timestamp = time.Now().Unix() + told.Ahead
	return nil
}

// BuiltinMetrics answers the whole set, or an empty one where the caller has its checksum; for an empty host name it
// leaves the answer untouched.
func (a *Agent) BuiltinMetrics(args *AgentHeartbeatRequest, reply *BuiltinMetricResponse) error {
	a.out.print(callRecord{"Agent.BuiltinMetrics", args})
	if args.Hostname == "" {
		return nil
	}
	told := a.told()
	reply.Metrics = []*BuiltinMetric{}
	reply.Checksum = told.checksum()
	reply.Timestamp = time.Now().Unix() + told.Ahead
	if args.Checksum != reply.Checksum {
		reply.Metrics = append(reply.Metrics, told.Metrics...)
	}
	return nil
}

// TrustableIps answers the text as it is.
func (a *Agent) TrustableIps(args *NullRpcRequest, ips *string) error {
	a.out.print(callRecord{"Agent.TrustableIps", args})
	*ips = a.told().Trustable
	return nil
}
