#!/bin/sh
# The agent of main.go, for a shell.
file="$HA_RSCTMP/small-$OCF_RESOURCE_INSTANCE"
case "$1" in
meta-data) cat <<END
<?xml version="1.0"?>
<resource-agent name="small" version="1.1"><version>1.1</version>
<parameters><parameter name="number" required="1" unique="1"><content type="string"/></parameter></parameters>
<actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/>
<action name="monitor" timeout="20s" interval="10s" depth="0"/><action name="meta-data" timeout="5s"/></actions>
</resource-agent>
END
;;
start) : >"$file" ;;
stop) rm -f "$file" ;;
monitor) [ -e "$file" ] || exit 7 ;;
*) exit 3 ;;
esac
