"""Provider and kinds of machines of a cluster file: what Ray's schema lets pass and the cloud would refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from search.cluster.providers import LOCAL, PROVIDERS, UNCHECKED, Provider, on_spot, size
from search.cluster.yaml_lines import Keys, Lines
from spaces.check import did_you_mean
from spaces.errors import Problem

TYPES = "available_node_types"


def check_machines(file: Lines) -> list[Problem]:
    """Return what is wrong with provider, kinds of machines and their numbers."""
    name = file.get("provider", "type")
    provider = PROVIDERS.get(str(name))
    if provider is None:
        return _unknown(file, name) if name is not None else []
    problems = [
        file.problem(("provider", key), f"is missing; {name} needs it, such as {example}")
        for key, example in provider.needs.items()
        if file.get("provider", key) in (None, "")
    ]
    if provider is LOCAL:
        return [*problems, *_check_own_machines(file)]
    return [*problems, *_check_types(file), *_check_numbers(file), *_check_nodes(file, provider)]


def notes(file: Lines) -> list[str]:
    """Return what is allowed and may cost more than was meant."""
    found = list(_notes_on_machines(file))
    idle = file.get("idle_timeout_minutes")
    if isinstance(idle, int | float) and idle < 5:
        found.append(
            f"idle_timeout_minutes is {idle:g}: machines may go before their first trial has started; 10 is safe"
        )
    return found


def summary(file: Lines) -> str:
    """Return in a line what the file starts, and what it may grow to."""
    provider = PROVIDERS.get(str(file.get("provider", "type")))
    if provider is None or provider is LOCAL:
        ips = file.texts("provider", "worker_ips")
        return (
            f"head {file.get('provider', 'head_ip')}, {len(ips)} workers" if provider else "machines of your provider"
        )
    head = file.get("head_node_type")
    told = [f"head {size(provider, _machine(file, str(head), provider))}"]
    for name in file.section(TYPES):
        if name != head:
            least, most = (file.get(TYPES, name, key) for key in ("min_workers", "max_workers"))
            market = " on spot" if on_spot(provider, _machine(file, name, provider)) else ""
            most = file.get("max_workers") if most is None else most
            told.append(f"{least or 0} to {most} {size(provider, _machine(file, name, provider))}{market}")
    return ", ".join(told)


def _unknown(file: Lines, name: Any) -> list[Problem]:
    if name in UNCHECKED:
        return []
    if name == "kuberay":
        message = "Kubernetes has no cluster file: deploy/kuberay-rayjob.yaml is its manifest"
    else:
        known = [*PROVIDERS, *UNCHECKED]
        message = f"must be one of {', '.join(known)}, got {name!r}{did_you_mean(str(name), known)}"
    return [file.problem(("provider", "type"), message)]


def _check_types(file: Lines) -> Iterator[Problem]:
    types, head = file.section(TYPES), file.get("head_node_type")
    if not types:
        yield file.problem((TYPES,), "is missing; name the head's kind of machine and the workers'")
    elif head is None:
        yield file.problem(("head_node_type",), f"is missing; name one of {', '.join(types)}")
    elif not isinstance(head, str) or head not in types:
        guess = did_you_mean(str(head), list(types))
        message = f"must be one of {', '.join(types)}, got {head!r}{guess}"
        yield file.problem(("head_node_type",), message)


def _check_numbers(file: Lines) -> Iterator[Problem]:
    head, most = file.get("head_node_type"), file.get("max_workers")
    if not _is_count(most):
        if most is None:
            yield file.problem(
                ("max_workers",), "is missing, and Ray's own is 2; set the most workers you will pay for"
            )
        return
    least, reachable = 0, 0
    for name in file.section(TYPES):
        here: Keys = (TYPES, name)
        low, high = (file.get(*here, key) for key in ("min_workers", "max_workers"))
        for key, value in (("min_workers", low), ("max_workers", high)):
            if isinstance(value, int) and not _is_count(value):
                yield file.problem((*here, key), f"must be a whole number, 0 or more, got {value}")
        low = low if _is_count(low) else 0
        if name == head:
            if _is_count(high) and high > 0:
                message = f"must be 0 for the head, got {high}: more of it would be started as workers; leave it out"
                yield file.problem((*here, "max_workers"), message)
            continue
        least += low
        reachable += high if _is_count(high) else most
        if _is_count(high) and low > high:
            message = f"must be at most max_workers of the same kind ({high}), got {low}"
            yield file.problem((*here, "min_workers"), message)
        if _is_count(high) and high > most:
            message = f"must be at most max_workers of the whole cluster ({most}), got {high}; raise that or lower this"
            yield file.problem((*here, "max_workers"), message)
    if least > most:
        message = f"must be at least the sum of all min_workers ({least}), got {most}"
        yield file.problem(("max_workers",), message)
    if most > reachable and file.section(TYPES):
        message = f"can never be reached: the kinds of workers allow {reachable} in all, got {most}; raise theirs"
        yield file.problem(("max_workers",), message)


def _check_nodes(file: Lines, provider: Provider) -> Iterator[Problem]:
    for name in file.section(TYPES):
        here: Keys = (TYPES, name, "node_config")
        if not isinstance(file.get(*here), dict):
            continue
        if provider.beside:
            yield from _check_keys(file, here, provider.beside, provider)
        here = (*here, *provider.section)
        machine = file.get(*here)
        if not isinstance(machine, dict):
            yield file.problem(here, f"is missing; {provider.name} reads the machine from it")
            continue
        templated = provider.name == "aws" and "LaunchTemplate" in machine
        for key, about in provider.node_needs.items():
            if machine.get(key) in (None, "") and not templated:
                yield file.problem((*here, key), f"is missing: {about}")
        if not provider.beside or provider.section:
            yield from _check_keys(file, here, provider.node_takes, provider)
        for key, known in provider.nested.items():
            for inner in _sections(file, (*here, key)):
                yield from _check_keys(file, inner, known, provider)
        if provider.name == "aws" and "InstanceMarketOptions" in machine and not on_spot(provider, machine):
            inner = (*here, "InstanceMarketOptions")
            yield file.problem(inner, "must be {MarketType: spot}; leave it out for machines at the full price")


def _check_keys(file: Lines, here: Keys, known: frozenset[str], provider: Provider) -> Iterator[Problem]:
    for key in file.section(*here):
        if key in known:
            continue
        owner = next((other.name for other in PROVIDERS.values() if key in other.node_takes | other.beside), None)
        if owner and owner != provider.name:
            message = f"is a key of {owner}, and provider.type is {provider.name}"
        else:
            guess = did_you_mean(key, sorted(known))
            message = f"is no key that {provider.name} takes here{guess}; it takes: {', '.join(sorted(known))}"
        yield file.problem((*here, key), message)


def _check_own_machines(file: Lines) -> Iterator[Problem]:
    """Check machines that are there already and are reached by ssh."""
    for key in (TYPES, "head_node_type"):
        if file.get(key) is not None:
            yield file.problem((key,), "is not for provider local: its machines are head_ip and worker_ips")
    if file.get("provider", "coordinator_address") is not None:
        return
    head, ips = file.get("provider", "head_ip"), file.get("provider", "worker_ips")
    if not head:
        yield file.problem(("provider", "head_ip"), "is missing; name the machine that drives")
    if not isinstance(ips, list):
        yield file.problem(("provider", "worker_ips"), "is missing; name the other machines, [] where there are none")
        return
    for number, ip in enumerate(ips):
        if ip == head or ip in ips[:number]:
            yield file.problem(("provider", "worker_ips", number), f"{ip} is named twice; a machine runs one Ray")
    most = file.get("max_workers")
    if _is_count(most) and most > len(ips):
        yield file.problem(("max_workers",), f"must be at most the number of worker_ips ({len(ips)}), got {most}")
    low = file.get("min_workers")
    if low is not None and (not _is_count(low) or low > (most if _is_count(most) else len(ips))):
        yield file.problem(("min_workers",), f"must be a whole number up to max_workers, got {low!r}")
    if not file.get("auth", "ssh_user"):
        yield file.problem(("auth", "ssh_user"), "is missing; name the user that ssh logs in as on every machine")


def _notes_on_machines(file: Lines) -> Iterator[str]:
    name, head = file.get("provider", "type"), file.get("head_node_type")
    if name in UNCHECKED:
        yield f"provider.type is {name}: what its machines take is not checked here"
    provider = PROVIDERS.get(str(name))
    if provider is None or provider is LOCAL:
        return
    for kind in file.section(TYPES):
        spot = on_spot(provider, _machine(file, kind, provider))
        if kind == head and spot:
            yield f"the head ({kind}) is on the spot market: when it is taken away, the whole cluster goes with it"
        if kind == head and file.get(TYPES, kind, "resources", "GPU"):
            yield f"the head ({kind}) has a GPU, which is paid for as long as the cluster stands"
        if kind != head and not spot:
            yield f"the workers ({kind}) are not on the spot market: they cost the full price"


def _machine(file: Lines, name: str, provider: Provider) -> Mapping[str, Any]:
    return file.section(TYPES, name, "node_config", *provider.section)


def _sections(file: Lines, here: Keys) -> Iterator[Keys]:
    value = file.get(*here)
    if isinstance(value, list):
        yield from ((*here, number) for number in range(len(value)))
    elif isinstance(value, dict):
        yield here


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
