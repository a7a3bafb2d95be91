package falcoevent

import (
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/probe"
)

// Limits are what a probe is told to leave out.
type Limits struct {
	NoEnv     bool // environments of processes
	NoData    bool // what is sent and received
	Terminals bool // there are terminal sessions: rules with "source: terminal" can fire
}

// Supply says which event types and fields the probe can give, so that rules which ask for more are named.
func Supply(limits Limits) *load.Supply {
	return &load.Supply{
		Type: func(t event.Type) bool { return supplies(t, limits) },
		Field: func(ref field.Ref, of event.Set) bool {
			if reason(ref.ID, limits) != "" {
				return false
			}
			if !ref.Param {
				return true
			}
			for t := range of.All() {
				if supplies(t, limits) && hasParam(t, ref.Arg) {
					return true
				}
			}
			return false
		},
	}
}

func supplies(t event.Type, limits Limits) bool {
	if t.Source() == event.Terminal {
		return limits.Terminals
	}
	if t == types.execve || t == types.procexit {
		return true
	}
	_, ok := probe.ParseSyscall(t.String())
	return ok
}

// hasParam reports whether a parameter of an event is known to the probe.
func hasParam(t event.Type, arg field.Arg) bool {
	if t == types.procexit {
		return false
	}
	i := 0
	for name := range t.Params() {
		if arg.Index == i || arg.Index < 0 && arg.Key == name {
			return supplied(t, name)
		}
		i++
	}
	return false
}

// reason says why a field never has a value; "" for one that may.
func reason(id field.ID, limits Limits) string {
	switch id {
	case field.ProcEnv, field.ProcAenv:
		if limits.NoEnv {
			return "environments are not read: set probe.maxenv"
		}
	case field.EvtBuffer:
		if limits.NoData {
			return "what is sent and received is not read: set probe.maxdata"
		}
	}
	if field.Of(id).Terminal && !limits.Terminals {
		return "terminal sessions are switched off"
	}
	return NotSupplied(id)
}

// NotSupplied says why the probe never gives a value for a field; "" for those that it gives.
func NotSupplied(id field.ID) string {
	const (
		noPlugins = "there are no plugins"
		noEnter   = "the beginning of a call is no event"
		noUsage   = "how much of the machine a process uses is not asked at each event"
		noFDs     = "only the descriptor of the call itself is known, no table of all"
		noThreads = "threads are not counted"
		noProbes  = "how the kubelet checks its pods is not known"
		old       = "Falco does not supply it any more"
	)
	switch id {
	case field.EvtPluginname, field.EvtPlugininfo, field.EvtAsynctype:
		return noPlugins
	case field.EvtLatency, field.EvtLatencyS, field.EvtLatencyNS, field.EvtLatencyHuman, field.EvtLatencyQuantized, field.EvtWaitLatency:
		return noEnter
	case field.EvtBuflenFile, field.EvtBuflenFileIn, field.EvtBuflenFileOut:
		return "reads and writes of files are no events"
	case field.EvtAround:
		return "it is for looking at recordings"
	case field.ProcFdopencount, field.ProcFdlimit, field.ProcFdusage, field.ProcStdinType, field.ProcStdoutType, field.ProcStderrType,
		field.ProcStdinName, field.ProcStdoutName, field.ProcStderrName, field.FdTypes, field.FdlistNums, field.FdlistNames,
		field.FdlistCIPS, field.FdlistSIPS, field.FdlistCports, field.FdlistSports:
		return noFDs
	case field.ProcVmsize, field.ProcVmrss, field.ProcVmswap, field.ThreadPfmajor, field.ThreadPfminor, field.ThreadExectime,
		field.ThreadTotexectime, field.ThreadCPU, field.ThreadCPUUser, field.ThreadCPUSystem, field.ThreadVmsize, field.ThreadVmrss:
		return noUsage
	case field.ProcNthreads, field.ProcNchilds:
		return noThreads
	case field.ProcIsContainerHealthcheck, field.ProcIsContainerLivenessProbe, field.ProcIsContainerReadinessProbe,
		field.ContainerHealthcheck, field.ContainerLivenessProbe, field.ContainerReadinessProbe:
		return noProbes
	case field.K8sRCName, field.K8sRCID, field.K8sRCLabel, field.K8sRCLabels, field.K8sSvcName, field.K8sSvcID, field.K8sSvcLabel,
		field.K8sSvcLabels, field.K8sNSID, field.K8sNSLabel, field.K8sNSLabels, field.K8sRSName, field.K8sRSID, field.K8sRSLabel,
		field.K8sRSLabels, field.K8sDeploymentName, field.K8sDeploymentID, field.K8sDeploymentLabel, field.K8sDeploymentLabels:
		return old
	case field.SyslogFacilityStr, field.SyslogFacility, field.SyslogSeverityStr, field.SyslogSeverity, field.SyslogMessage:
		return "messages to /dev/log are not read"
	}
	return ""
}
