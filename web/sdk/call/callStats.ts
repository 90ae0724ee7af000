/** What the browser counted of a call's media so far. */
export type CallStats = {
  audio: {
    packetsReceived: number;
    bytesReceived: number;
    packetsSent: number;
    packetsLost: number;
    /** Samples that were played, how many of them were made up for want of packets, and their energy. */
    samplesReceived: number;
    samplesConcealed: number;
    energy: number;
  };
  video: { framesDecoded: number; framesSent: number; width: number; height: number };
  /** Between this browser and the server; null until it is known. */
  roundTripMs: number | null;
};

/** Of the receiving and the sending transport's statistics, summed over streams. */
export function receivedStats(recv?: RTCStatsReport, send?: RTCStatsReport): CallStats {
  const stats: CallStats = {
    audio: {
      packetsReceived: 0,
      bytesReceived: 0,
      packetsSent: 0,
      packetsLost: 0,
      samplesReceived: 0,
      samplesConcealed: 0,
      energy: 0,
    },
    video: { framesDecoded: 0, framesSent: 0, width: 0, height: 0 },
    roundTripMs: null,
  };
  recv?.forEach((entry) => {
    if (entry.type === 'inbound-rtp' && entry.kind === 'audio') {
      stats.audio.packetsReceived += entry.packetsReceived ?? 0;
      stats.audio.bytesReceived += entry.bytesReceived ?? 0;
      stats.audio.packetsLost += entry.packetsLost ?? 0;
      stats.audio.samplesReceived += entry.totalSamplesReceived ?? 0;
      stats.audio.samplesConcealed += entry.concealedSamples ?? 0;
      stats.audio.energy += entry.totalAudioEnergy ?? 0;
    }
    if (entry.type === 'inbound-rtp' && entry.kind === 'video') {
      stats.video.framesDecoded += entry.framesDecoded ?? 0;
      stats.video.width = Math.max(stats.video.width, entry.frameWidth ?? 0);
      stats.video.height = Math.max(stats.video.height, entry.frameHeight ?? 0);
    }
  });
  send?.forEach((entry) => {
    if (entry.type === 'outbound-rtp' && entry.kind === 'audio')
      stats.audio.packetsSent += entry.packetsSent ?? 0;
    if (entry.type === 'outbound-rtp' && entry.kind === 'video')
      stats.video.framesSent += entry.framesSent ?? 0;
    if (entry.type === 'candidate-pair' && entry.nominated && entry.currentRoundTripTime !== undefined) {
      stats.roundTripMs = entry.currentRoundTripTime * 1000;
    }
  });
  return stats;
}
