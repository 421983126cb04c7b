package main

import "time"

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

// Agent answers what an agent asks of hbs, as an hbs does to which nothing is assigned for the host.
type Agent struct {
	out *printer
}

type callRecord struct {
	Call string      `json:"call"`
	Args interface{} `json:"args"`
}

// ReportStatus refuses an empty host name with code 1, else answers code 0.
func (a *Agent) ReportStatus(args *AgentReportRequest, reply *SimpleRpcResponse) error {
	a.out.print(callRecord{"Agent.ReportStatus", args})
	if args.Hostname == "" {
		reply.Code = 1
	}
	return nil
}

// MinePlugins answers an empty list; for an empty host name it leaves the answer untouched.
func (a *Agent) MinePlugins(args AgentHeartbeatRequest, reply *AgentPluginsResponse) error {
	a.out.print(callRecord{"Agent.MinePlugins", args})
	if args.Hostname == "" {
		return nil
	}
	reply.Plugins = []string{}
	reply.Timestamp = time.Now().Unix()
	return nil
}

// BuiltinMetrics answers an empty set with an empty checksum; for an empty host name it leaves the answer untouched.
func (a *Agent) BuiltinMetrics(args *AgentHeartbeatRequest, reply *BuiltinMetricResponse) error {
	a.out.print(callRecord{"Agent.BuiltinMetrics", args})
	if args.Hostname == "" {
		return nil
	}
	reply.Metrics = []*BuiltinMetric{}
	reply.Timestamp = time.Now().Unix()
	return nil
}

// TrustableIps answers the empty string.
func (a *Agent) TrustableIps(args *NullRpcRequest, ips *string) error {
	a.out.print(callRecord{"Agent.TrustableIps", args})
	*ips = ""
	return nil
}
