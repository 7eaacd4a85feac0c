"""Ordinary words of offices that stand on no list are understood; doubtful ones are asked about."""

import pytest

from institute_lib.registers import vocabulary

MEANT = {
    (
        "education",
        "bachelor",
    ): "自考本科 本科（网络教育） 文学学士 二本 师范本科 五年制本科 大学文化 學士",
    ("education", "college"): "高职高专学历 三年制大专 大专（函授） 国开专科 大專",
    ("education", "master"): "法学硕士 MPA 研究生学历硕士学位 硕士研究生（非全日制）",
    ("education", "secondary"): "高中文化 中等专业学校 职高毕业",
    ("education", None): "本科在读 大专及以上 大专/本科 高中起点本科 本科学历硕士学位 同等学力",
    ("certificate", "assistant"): "社会工作师（初级） 社工证（初级） 全国社会工作者职业水平证书（助理） 初级（2019年）",
    ("certificate", "social_worker"): "社工师中级 中级社工证 社会工作者中级 社會工作師",
    ("certificate", "senior"): "社会工作师（高级） 高级社工证",
    ("certificate", "none"): "无社工证书 尚未持证 未取得社工证 没有取得 未报考",
    ("certificate", None): "中级会计师 中级（会计） 中级工 未取得社会工作师证书 初级、中级 拟报初级 心理咨询师",
    ("leave_reason", "unknown"): "合同期满未续签 因病离职 回家带孩子 工作压力大 因个人原因辞职 其它",
    ("leave_reason", "left_field"): "继续深造 去企业工作 个人原因（转行）",
    ("leave_reason", "promoted_away"): "考公上岸 考取教师编 录用为公务员 提拔任职",
    ("leave_reason", "moved_district"): "调往海门区 调至如东 跨区县调动",
    ("leave_reason", "retired"): "达龄退休 因病退休",
    ("leave_reason", None): "调到社区 内部调动 照顾退休父母 配偶调动 退休返聘",
    ("contract", "permanent"): "无固定期限的劳动合同 公务员编制 事业在编",
    ("contract", "fixed_term"): "三年期劳动合同 企业编制 非在编",
    ("contract", "project"): "第三方派遣 政府购买岗位 退休返聘",
    ("contract", None): "三支一扶 志愿者",
    ("kind", "community"): "社区专职工作人员 社区网格员 社工（社区）",
    ("kind", "agency"): "民非社工 社会工作机构",
    ("kind", "drug"): "社区戒毒社工",
    ("kind", "school"): "中小学社工 机构派驻学校社工",
    ("field", "elderly"): "失能老人 长者服务",
    ("field", "correction"): "社区矫正服务 刑满释放",
    ("field", "drug"): "社区戒毒康复 戒毒康复",
    ("field", "disability"): "精神障碍社区康复",
    ("field", None): "老年康复 外来务工子女",
    ("station_level", "district"): "市（县）级 区级社工总站",
    ("station_level", "town"): "乡镇/街道 街道社工站",
    ("station_level", "village"): "村社级站 社区级",
    ("title", "leading_provincial"): "省级社会工作领军人才 全省社工领军人才",
    ("title", "supervisor"): "市级督导 社会工作督导人才",
    ("title", None): "市级领军人才",
    ("subject", "law"): "法规和政策 中级法律法规",
    ("flag", "false"): "未参加考试 没有通过 0.0",
    ("flag", "true"): "已接受督导 通过考试 1.0",
    ("point_system", "EPSG:4326"): "WGS_1984 国家2000坐标系 4326",
    ("point_system", "GCJ-02"): "高德地图坐标 GCJ02坐标系",
    ("point_system", None): "百度坐标 BD09",
}


@pytest.mark.parametrize(("of", "words"), MEANT.items())
def test_an_ordinary_word_means_its_level_and_a_doubtful_one_none(of, words):
    name, level = of
    assert {word: vocabulary.level_of(name, word) for word in words.split()} == dict.fromkeys(words.split(), level)
