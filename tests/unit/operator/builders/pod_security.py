"""The Pod Security Standard `restricted` (with `baseline`, which it contains), as Kubernetes publishes it.

Only what a Deployment's pod template can say. Each rule yields a sentence for what it forbids.
"""

_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_PROFILES = {"RuntimeDefault", "Localhost"}
_SELINUX_TYPES = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
_SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
}  # fmt: skip


def violations(template):
    """What the pods of this template may not be."""
    spec = template["spec"]
    yield from _of_pod(spec)
    yield from _of_context(spec.get("securityContext", {}), "the pod")
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(kind, ()):
            yield from _of_container(container, spec.get("securityContext", {}))
            yield from _of_context(container.get("securityContext", {}), container["name"])


def _of_pod(spec):
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field} is set"
    for volume in spec.get("volumes", ()):
        for kind in set(volume) - {"name"} - _VOLUMES:
            yield f"volume {volume['name']} is a {kind}"
    for sysctl in spec.get("securityContext", {}).get("sysctls", ()):
        if sysctl["name"] not in _SYSCTLS:
            yield f"sysctl {sysctl['name']}"


def _of_container(container, of_pod):
    name, own = container["name"], container.get("securityContext", {})
    if own.get("privileged"):
        yield f"{name} is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{name} may gain privileges"
    if "ALL" not in own.get("capabilities", {}).get("drop", ()):
        yield f"{name} keeps capabilities"
    if set(own.get("capabilities", {}).get("add", ())) - {"NET_BIND_SERVICE"}:
        yield f"{name} adds capabilities"
    if own.get("procMount", "Default") != "Default":
        yield f"{name} has another /proc"
    if own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is not True:
        yield f"{name} may run as root"
    profile = own.get("seccompProfile", of_pod.get("seccompProfile", {}))
    if profile.get("type") not in _PROFILES:
        yield f"{name} has no seccomp profile"
    yield from _of_reach(container)


def _of_reach(container):
    name = container["name"]
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield f"{name} has a port of the host"
    hooks = container.get("lifecycle", {}).values()
    probes = [container[probe] for probe in ("startupProbe", "livenessProbe", "readinessProbe") if probe in container]
    for action in (*hooks, *probes):
        if action.get("httpGet", {}).get("host") or action.get("tcpSocket", {}).get("host"):
            yield f"{name} has a probe or hook that names a host"


def _of_context(context, whose):
    if context.get("runAsUser") == 0:
        yield f"{whose} is root"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield f"{whose} is a process of the host"
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type") not in _SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield f"{whose} has SELinux options of its own"
    if context.get("appArmorProfile", {"type": "RuntimeDefault"})["type"] not in _PROFILES:
        yield f"{whose} has no AppArmor profile"
    if context.get("seccompProfile", {"type": "RuntimeDefault"})["type"] not in _PROFILES:
        yield f"{whose} has no seccomp profile"
