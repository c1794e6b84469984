"""The clouds that a cluster file may name: what each needs and takes, as a literal table.

Sources of the keys: EC2's RunInstances (API version 2016-11-15) and Ray's own ``SubnetIds``; Compute Engine's
Instance (v1), what the server sets left out, and TPU nodes; the parameters of Ray's azure-vm-template.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Node = Mapping[str, Any]


def words(text: str) -> frozenset[str]:
    """Return the words of ``text``."""
    return frozenset(text.split())


@dataclass(frozen=True)
class Provider:
    """What a cluster file of one cloud must and may hold."""

    name: str
    needs: Mapping[str, str]  # key of `provider` -> an example
    node_needs: Mapping[str, str]  # key of a machine -> what it is
    node_takes: frozenset[str]
    section: tuple[str, ...] = ()  # where in node_config the machine's keys stand
    beside: frozenset[str] = frozenset()  # what stands in node_config beside that section
    client: str | None = None  # a module that Ray's launcher imports
    packages: str = ""  # what installs it
    nested: Mapping[str, frozenset[str]] = field(default_factory=dict)  # the words that a key's own section takes


AWS = Provider(
    name="aws",
    needs={"region": "eu-central-1"},
    node_needs={"InstanceType": "the kind of machine, such as g6.2xlarge", "ImageId": "the image, ami-..."},
    node_takes=words(
        "AdditionalInfo BlockDeviceMappings CapacityReservationSpecification ClientToken CpuOptions "
        "CreditSpecification DisableApiStop DisableApiTermination EbsOptimized ElasticGpuSpecification "
        "ElasticInferenceAccelerators EnablePrimaryIpv6 EnclaveOptions HibernationOptions IamInstanceProfile ImageId "
        "InstanceInitiatedShutdownBehavior InstanceMarketOptions InstanceType Ipv6AddressCount Ipv6Addresses KernelId "
        "KeyName LaunchTemplate LicenseSpecifications MaintenanceOptions MetadataOptions Monitoring "
        "NetworkInterfaces Placement PrivateDnsNameOptions PrivateIpAddress RamdiskId SecurityGroupIds "
        "SecurityGroups SubnetId SubnetIds TagSpecifications UserData"
    ),
    client="boto3",
    packages="boto3",
    nested={
        "InstanceMarketOptions": frozenset({"MarketType", "SpotOptions"}),
        "BlockDeviceMappings": frozenset({"DeviceName", "Ebs", "NoDevice", "VirtualName"}),
    },
)
GCP = Provider(
    name="gcp",
    needs={"region": "europe-west4", "availability_zone": "europe-west4-a", "project_id": "my-project"},
    node_needs={"machineType": "the kind of machine, such as g2-standard-8", "disks": "the boot disk with its image"},
    node_takes=words(
        "acceleratorConfig acceleratorType advancedMachineFeatures canIpForward confidentialInstanceConfig "
        "deletionProtection description disks displayDevice guestAccelerators hostname instanceEncryptionKey "
        "keyRevocationActionType labels machineType metadata minCpuPlatform networkConfig networkInterfaces "
        "networkPerformanceConfig params privateIpv6GoogleAccess reservationAffinity resourcePolicies runtimeVersion "
        "scheduling schedulingConfig serviceAccounts shieldedInstanceConfig shieldedInstanceIntegrityPolicy "
        "sourceMachineImage sourceMachineImageEncryptionKey tags"
    ),
    client="googleapiclient",
    packages="google-api-python-client",
    nested={
        "scheduling": words(
            "automaticRestart hostErrorTimeoutSeconds instanceTerminationAction locationHint maxRunDuration "
            "minNodeCpus nodeAffinities onHostMaintenance onInstanceStopAction preemptible provisioningModel "
            "terminationTime"
        ),
        "guestAccelerators": frozenset({"acceleratorType", "acceleratorCount"}),
    },
)
AZURE = Provider(
    name="azure",
    needs={"location": "westeurope", "resource_group": "thawline", "subscription_id": "00000000-..."},
    node_needs={"vmSize": "the kind of machine, such as Standard_NC4as_T4_v3"},
    node_takes=words(
        "availability_zone billingProfile enableAcceleratedNetworking evictionPolicy imageId imageOffer "
        "imagePublisher imageSku imageVersion osDiskSize priority provisionPublicIp vmSize zones"
    ),
    section=("azure_arm_parameters",),
    beside=frozenset({"azure_arm_parameters", "tags"}),
    client="azure.mgmt.compute",
    packages="azure-common azure-identity azure-mgmt-compute azure-mgmt-network azure-mgmt-resource msrestazure",
)
LOCAL = Provider(name="local", needs={}, node_needs={}, node_takes=frozenset())

PROVIDERS: Mapping[str, Provider] = {provider.name: provider for provider in (AWS, GCP, AZURE, LOCAL)}
UNCHECKED = ("aliyun", "vsphere", "spark", "external")  # Ray has them; what their machines take is not checked


def on_spot(provider: Provider, machine: Node) -> bool:
    """Tell whether a machine is bought on the spot market."""
    match provider.name:
        case "aws":
            return _first(machine.get("InstanceMarketOptions")).get("MarketType") == "spot"
        case "gcp":
            scheduling = _first(machine.get("scheduling"))
            return scheduling.get("provisioningModel") == "SPOT" or scheduling.get("preemptible") is True
        case "azure":
            return machine.get("priority") in ("Spot", "Low")
    return False


def size(provider: Provider, machine: Node) -> str:
    """Return the kind of machine in the cloud's own word."""
    return str(machine.get(next(iter(provider.node_needs), ""), "a machine"))


def _first(value: Any) -> Node:
    """Return a mapping, or the first of a list of mappings: Ray's own examples write either."""
    found = value[0] if isinstance(value, list) and value else value
    return found if isinstance(found, Mapping) else {}
