"""What each column of a result row holds, in a phrase: the table of docs/results-and-reports.md, and `ll.studies.describe_columns()`."""

import polars as pl

from latentlink.studies.rows import COLUMNS, INTEGER, REAL, TEXT

_TYPES = {TEXT: "text", INTEGER: "integer", REAL: "real"}
MEANINGS = {
    "cell": "name of the cell: a hash of everything that defines it",
    "method": "name of the method",
    "family": "kind of method: exact, admm, neural, codec, network, digital, baseline, own or reference",
    "parameters": "parameters of the method, JSON",
    "status": "how the design of this channel ended; `latentlink.Status` has the sentence",
    "versions": "versions of Python and of the packages, JSON",
    "started": "when the cell was run, UTC",
    "seed": "seed of the cell",
    "channel": "number of the channel draw, from 0; it is another channel for each seed and size",
    "d": "dimensions of the transmitter's latent",
    "m": "dimensions of the receiver's latent",
    "pilots": "number of pilots",
    "messages": "number of test messages",
    "dependence": "deviations by which x and y of the pilots depend more on each other than permuted rows; null: too few to tell",
    "wall_s": "seconds that the cell took",
    "noise_variance": "σ² of a complex symbol at a receive antenna",
    "error_variance": "mean squared error of a channel coefficient that is known, where it is estimated",
    "dataset": "the observations, in words",
    "folder": "folder of the data, where the study names one",
    "train": "number of training observations that may become pilots; null is all",
    "transmitter": "encoder of the transmitter",
    "receiver": "encoder of the receiver",
    "image_size_px": "side of the scaled images in pixels; null is the encoder's own, or no images",
    "pilots_per_class": "pilots of each class or cluster; null is the whole training set",
    "selection": "how pilots are chosen: random, centroid, medoid or herding",
    "grouping": "of what groups: label or cluster",
    "pilot_count": "pilots in all, where the study says so in place of pilots per class",
    "unpaired": "latents that each end has without partners: all or halves; null is none",
    "channel_model": "fading, 3GPP model, own code, or file of channels",
    "k_factor": "K-factor of Rician fading, linear",
    "correlation": "correlation of neighbouring antennas, of Kronecker fading",
    "gain": "mean squared channel coefficient E|h|²",
    "knowledge": "aware, or unaware where the design does not know the channel",
    "n_tx": "transmit antennas",
    "n_rx": "receive antennas",
    "uses": "channel uses per message",
    "drift": "what has changed at the transmitter since the design, in words; null is nothing",
    "new_observations": "new observations that a repair learns from, pairs or latents of the transmitter alone",
    "alarm_every": "messages between two false alarms for which a watch is calibrated",
    "scenario": "who is on the band: common, private, sensors or pairs; null is one link",
    "users": "users of a network, or sensors",
    "sees": "what each sensor sees: whole images, or parts of them",
    "user_gains_db": "mean gain of each user's channels in dB, where they differ",
    "inr_db": "INR of each link between different pairs in dB; null is as strong as a pair's own",
    "phase_error_deg": "standard deviation of a phase of each sensor that is not known at design, in degrees",
    "elements": "elements of a surface that serves all links; 0 is none",
    "bits": "bits of each phase of the surface; null is continuous",
    "direct_db": "gain of the direct paths beside a surface in dB, relative to the gain",
    "element_db": "gain of the path over one element in dB, relative to the gain",
    "iterations": "iterations of a network's design, where the study says how many",
    "snr_db": "SNR in dB, by its reference",
    "snr_reference": "transmit: P / (n_tx σ²); receive: gain · P / σ²",
    "placement": "where the resource elements of a message lie",
    "polarisation": "polarisation of both arrays",
    "pattern": "radiation pattern of the base station's elements",
    "normalisation": "which mean gain is held, or path-loss",
    "csi": "which end knows the channel",
    "estimator": "channel estimator, ls or lmmse",
    "subcarriers": "subcarriers of the band",
    "slots": "slots that a message is spread over",
    "pilot_spacing": "subcarriers from one channel pilot of an antenna to its next",
    "feedback_bits": "bits for each angle of the precoder that is fed back; null is not quantised",
    "carrier_ghz": "carrier frequency in GHz",
    "delay_spread_ns": "RMS delay spread in ns",
    "speed_kmh": "speed in km/h",
    "spacing_khz": "subcarrier spacing in kHz",
    "pilot_snr_db": "SNR of the channel pilots in dB; null is all power of a use",
    "delay_ms": "age of the channel estimate in ms",
    "clipping_db": "amplifier limit in dB over the mean power of an antenna; null does not clip",
    "compression": "complex symbols sent over ⌈d/2⌉, those of the latent",
    "accuracy": "share of messages whose class is right",
    "accuracy_low": "lower end of its 95 % Wilson interval over the messages",
    "accuracy_high": "upper end of it",
    "agreement": "share of messages on which the head decides as on the receiver's latent",
    "largest_class": "share of the messages in the most frequent class, the accuracy of always guessing it",
    "r2": "R² of a regression's targets, the mean over outputs",
    "task_mse": "squared error of a regression's targets, summed over outputs",
    "output_nmse": "error of the head's real outputs against those on the receiver's latent, over their variance",
    "recall_at_1": "share of messages whose own latent is the nearest to ŷ by cosine of all test latents",
    "recall_at_10": "share of messages whose own latent is among the ten nearest",
    "adjusted_rand": "adjusted Rand index of the clusters of ŷ and of y, as many as classes, or ten without labels",
    "mutual_information": "normalised mutual information of the same clusters",
    "cosine": "mean cosine similarity of ŷ and the receiver's latent",
    "worst_accuracy": "accuracy of the worst user of a network; accuracy and errors are means over users",
    "user_accuracy": "accuracy of each user",
    "user_nmse": "NMSE of each user",
    "user_error": "weighted error of each user above what no channel could avoid, its weighted variance being 1",
    "worst_error": "the largest of these",
    "objective": "their sum, which designs of networks are made for",
    "objective_bound": "what no linear design can have it below; null where no bound is known",
    "mse": "mean squared error of the latent",
    "nmse": "the error over the variance of the latents",
    "expected_mse": "error that the design expects under the pilots; null where it does not know the channel",
    "exact_mse": "least error that a linear link could be expected to have on the test latents",
    "opta": "Gaussian OPTA: least error of any scheme for Gaussian latents of the test latents' covariance",
    "opta_nmse": "OPTA over the variance of the latents",
    "opta_db": "the error over OPTA in dB",
    "separation": "least error of a digital link with ideal codes of a message's length",
    "separation_nmse": "the same over the variance of the latents",
    "capacity": "water-filling capacity in bits per message",
    "accuracy_bound": "best accuracy with as many bits of the head's decision as the capacity",
    "block_error": "block error rate of a digital link",
    "message_bits": "bits per message of a digital link",
    "alarm_delay": "mean messages from the change to the alarm of a watch; null where none came in the time of two false ones",
    "alarm_interval": "mean messages between false alarms on messages that calibrated nothing",
    "power": "mean power per channel use over the test messages; the budget is 1",
    "peak_power": "largest mean power per use of a message",
    "antenna_power": "mean power of each transmit antenna",
    "budget": "budget given to the design so that the measured power is 1",
    "papr_db": "peak over mean power of what is sent, in dB",
    "antenna_papr_db": "the same of each antenna",
    "gap": "upper bound on the distance from the optimum, relative to the error: of ADMM, and of designs of networks",
    "flops": "real operations per message at both devices; pruned weights cost nothing",
    "flops_encode": "those of the transmitter",
    "flops_decode": "those of the receiver",
    "density": "share of the weights that is left",
    "pruning": "strength λ of the thresholds of a pruned network",
    "design_s": "seconds of one design, or of the training, per channel",
    "encode_us": "µs to encode one message, median on one thread",
    "decode_us": "µs to decode one message",
    "encode_batch_us": "µs per message to encode a batch",
    "decode_batch_us": "µs per message to decode a batch",
    "form_us": "form in which a single message is fastest: dense or sparse",
    "form_batch_us": "form in which a batch is fastest",
}


def describe_columns() -> pl.DataFrame:
    """Describe the columns that results may have: a row for each, with its name, type, role, the metric that asks for it, and its meaning.

    The columns of a metric are there only if the study lists it. Rows of the references, which pass no channel, have null in the columns of
    the roles "channel" and "radio", and in most results.

    Returns:
        A frame with the columns column, type, role, metric and meaning.

    Example:
        >>> import polars as pl, latentlink as ll
        >>> ll.studies.describe_columns().filter(pl.col("column") == "snr_db")["meaning"].item()
        'SNR in dB, by its reference'
    """
    rows = [
        (column.name, _TYPES.get(column.dtype, "list of reals"), column.role, column.metric, MEANINGS[column.name])
        for column in COLUMNS.values()
    ]
    return pl.DataFrame(rows, ["column", "type", "role", "metric", "meaning"], orient="row")
