SUMMARY = "Hilum's way from the device to the cloud"
DESCRIPTION = "Drains the outbox to the gateway over MQTT and deletes a row only on the gateway's receipt."

require hilum.inc
require ${BPN}-crates.inc
