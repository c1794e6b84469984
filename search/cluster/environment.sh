# Run a command as if the environment that a process runs in were activated: environment.sh PID COMMAND...
#
# A job's shell has the PATH of the shell that started Ray, which need not hold the Python that Ray was started with.
# The process of Ray that started this one has loaded a library from that Python's packages, and the kernel knows from where.
library='/lib/python3[^/]*/[a-z]*-packages/ray/_raylet\.so'
home=$(sed -n "s|.* \(/.*\)$library\$|\1|p" "/proc/$1/maps" 2>/dev/null | head -n 1)
shift
if [ -n "$home" ]; then
    PATH="$home/bin:$PATH"
    export PATH
fi
exec "$@"
