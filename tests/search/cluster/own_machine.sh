# A machine of its own for a cluster to be started on: its own processes, network, temporary files and home, and an sshd.
# To be run by: unshare --pid --fork --mount --net --mount-proc bash own_machine.sh FOLDER COMMAND...
set -euo pipefail
folder=$1
shift
ip link set lo up
export HOME="$folder/home"
mkdir -p "$folder/tmp-ray" "$HOME/.ssh" "$HOME/.ray" /tmp/ray
mount --bind "$folder/tmp-ray" /tmp/ray
awk -F: -v OFS=: -v home="$HOME" '$1 == "root" { $6 = home } { print }' /etc/passwd >"$folder/passwd"
mount --bind "$folder/passwd" /etc/passwd
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd
chmod 700 ~ ~/.ssh
ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519
cp ~/.ssh/id_ed25519.pub ~/.ssh/authorized_keys
ssh-keygen -q -t ed25519 -N '' -f "$folder/host_key"
/usr/sbin/sshd -h "$folder/host_key" -o ListenAddress=127.0.0.1 -o PermitRootLogin=prohibit-password -o UsePAM=no
"$@"
