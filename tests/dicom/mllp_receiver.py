"""A receiver of HL7 messages on the package hl7's own MLLP: writes each message to a folder under its control id and
acknowledges it, the first of each with a rejection (AR) so that the sender has to come again."""

import asyncio
import pathlib
import sys

import hl7.mllp


async def main(port, folder):
    seen = set()

    async def serve(reader, writer):
        while not writer.is_closing():
            try:
                message = await reader.readmessage()
            except asyncio.IncompleteReadError:
                break
            control_id = str(message.segment("MSH")[10])
            code = "AA" if control_id in seen else "AR"
            seen.add(control_id)
            if code == "AA":
                file = folder / f"{control_id}.hl7"
                with open(file, "w", encoding="utf-8", newline="") as out:
                    out.write(str(message))
            writer.writemessage(message.create_ack(code))
            await writer.drain()
        writer.close()

    server = await hl7.mllp.start_hl7_server(serve, host="127.0.0.1", port=port, encoding="utf-8")
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), pathlib.Path(sys.argv[2])))
