// SPDX-License-Identifier: GPL-2.0
// The body of an asynchronous WebDriver script: two peer connections of one page that may use
// relayed candidates only, a data channel that echoes, and a canvas as the camera.
// arguments: iceServers, how many messages, how many video frames to wait for, callback(report).
const [iceServers, messages, frames, finish] = arguments;

const report = { errors: [], pairs: [], echoed: 0, frames: 0 };
const ends = [0, 1].map(() => new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" }));
const [caller, callee] = ends;

// A picture that changes, or the encoder has nothing to send.
function camera() {
    const canvas = document.createElement("canvas");
    canvas.width = 320;
    canvas.height = 240;
    const pen = canvas.getContext("2d");
    let shade = 0;
    setInterval(() => {
        shade = (shade + 7) % 256;
        pen.fillStyle = `rgb(${shade}, ${255 - shade}, ${(shade * 3) % 256})`;
        pen.fillRect(shade % 200, 20, 100, 100);
    }, 40);
    return canvas.captureStream(25);
}

async function nominated(end) {
    const stats = await end.getStats();
    for (const entry of stats.values()) {
        if (entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded") {
            const local = stats.get(entry.localCandidateId);
            report.pairs.push({ type: local.candidateType, protocol: local.relayProtocol });
        }
        if (entry.type === "inbound-rtp" && entry.kind === "video")
            report.frames = entry.framesDecoded;
    }
}

async function until(condition, milliseconds) {
    const end = Date.now() + milliseconds;
    while (!(await condition()) && Date.now() < end)
        await new Promise((wake) => setTimeout(wake, 50));
}

async function call() {
    ends.forEach((end, here) => {
        end.onicecandidate = (event) => event.candidate && ends[1 - here].addIceCandidate(event.candidate);
        end.onicecandidateerror = (event) => report.errors.push(`${event.errorCode} ${event.errorText} ${event.url}`);
    });
    const stream = camera();
    stream.getTracks().forEach((track) => caller.addTrack(track, stream));
    callee.ontrack = (event) => {
        const video = document.createElement("video");
        video.muted = true;
        video.srcObject = event.streams[0];
        video.play();
    };
    const channel = caller.createDataChannel("echo");
    channel.onmessage = () => report.echoed++;
    callee.ondatachannel = (event) => {
        event.channel.onmessage = (message) => event.channel.send(message.data);
    };
    await caller.setLocalDescription();
    await callee.setRemoteDescription(caller.localDescription);
    await callee.setLocalDescription();
    await caller.setRemoteDescription(callee.localDescription);

    await until(() => channel.readyState === "open" || caller.connectionState === "failed", 30000);
    report.state = caller.connectionState;
    if (channel.readyState !== "open")
        return;
    for (let i = 0; i < messages; i++)
        channel.send(`${i}`.padEnd(800, "."));
    await until(async () => {
        report.pairs = [];
        await Promise.all(ends.map(nominated));
        return report.echoed >= messages && report.frames >= frames && report.pairs.length >= 2;
    }, 30000);
}

call().catch((error) => report.errors.push(`${error}`)).then(() => {
    ends.forEach((end) => end.close());
    finish(report);
});
